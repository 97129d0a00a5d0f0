"""Rows, ids and files: read in blocks, written whole, locked.

Floor 3. May import ``numerics``, and the loose modules of ``vqbench``.
"""
