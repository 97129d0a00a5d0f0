"""Exact search over every row of a corpus, block by block, with ties counted."""
