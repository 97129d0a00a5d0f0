"""Figures: a pure function of a results folder, one family a file."""
