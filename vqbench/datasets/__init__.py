"""Where vectors come from: files, the bundled embeddings, a generator."""
