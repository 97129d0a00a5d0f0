"""Intervals, paired differences and corrections for many comparisons: numbers in, numbers out."""
