"""The exact top k with its ties, over float rows or codes; shards go to workers.

Floor 4. May import ``numerics``, ``quantizers``, and the loose modules of ``vqbench``.
"""
