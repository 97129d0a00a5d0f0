"""Figures of the timed comparison, each a function of its folder."""
