"""Forecast how overlap changes with the size of the corpus, from nested subsamples of it."""
