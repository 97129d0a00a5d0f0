"""Intervals, paired differences and corrections: numbers in, numbers out."""
