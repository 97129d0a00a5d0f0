"""Figures, each a function of a results folder."""
