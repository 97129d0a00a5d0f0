"""Figures and the HTML page of a results folder.

Floor 6. May import ``storage``, ``results``, ``analysis``, and the loose modules of ``vqbench``.
"""
