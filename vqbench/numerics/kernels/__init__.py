"""Compiled loops (numba), each beside the numpy code that gives the same; ``choice`` says which of them works."""
