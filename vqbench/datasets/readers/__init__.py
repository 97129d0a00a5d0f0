"""One file format a module: what it can name, and how its rows are read."""
