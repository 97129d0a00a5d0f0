"""Measure a variant, an engine, or the vectors themselves.

Floor 5. May import ``numerics``, ``storage``, ``quantizers``, ``search``, ``metrics``, ``datasets``, ``results``,
and the loose modules of ``vqbench``.
"""
