"""One dataset and one variant make one cell: truth, search, metrics, samples."""
