"""What a list of results is worth: one question a file.

Floor 4. May import ``numerics``, ``quantizers``, and the loose modules of ``vqbench``.
"""
