"""From a file to a checked corpus with queries.

Floor 4. May import ``numerics``, ``storage``, and the loose modules of ``vqbench``.
"""
