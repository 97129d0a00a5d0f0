"""The inner loops, compiled by numba where it is installed (extra ``fast``); numpy does the same without it."""
