"""One module for each file format: what a file holds, as rows that are read when they are needed."""
