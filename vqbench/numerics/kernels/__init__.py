"""Compiled loops, each beside the numpy code that gives the same bits."""
