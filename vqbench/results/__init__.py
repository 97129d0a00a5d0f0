"""The tables of a run: written, read and checked.

Floor 4. May import ``numerics``, ``storage``, and the loose modules of ``vqbench``.
"""
