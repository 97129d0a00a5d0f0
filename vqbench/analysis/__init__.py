"""What a results folder says: recommendations, comparisons, forecasts.

Floor 5. May import ``numerics``, ``results``, and the loose modules of ``vqbench``.
"""
