"""How overlap changes with the size of the corpus, and what it may be at a size that was not measured."""
