"""``vqbench doctor``: why quantizing these vectors is easy or hard, and what to try.

A check is a function from a ``Sample`` to a ``Finding``; ``checkup.CHECKS`` lists them.
"""
