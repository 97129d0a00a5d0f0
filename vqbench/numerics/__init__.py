"""Exact, thread-independent arithmetic on rows of numbers.

Floor 2. May import the loose modules of ``vqbench``.
"""
