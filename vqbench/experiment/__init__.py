"""A config becomes a checked plan, and a plan becomes finished cells.

Floor 6. May import ``numerics``, ``storage``, ``quantizers``, ``search``, ``metrics``, ``datasets``, ``results``,
``evaluation``, and the loose modules of ``vqbench``.
"""
