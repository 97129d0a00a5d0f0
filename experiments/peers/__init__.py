"""The timed comparison: searches of vqbench and of other libraries, each checked, then timed in turns.

Run as ``python -m experiments.peers`` from a checkout. May import anything of ``vqbench``, which imports nothing of it.
"""
