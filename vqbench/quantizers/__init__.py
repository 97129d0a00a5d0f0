"""Float rows to bytes and back: a specification is fitted and becomes a codec.

Floor 3. May import ``numerics``, and the loose modules of ``vqbench``.
"""
