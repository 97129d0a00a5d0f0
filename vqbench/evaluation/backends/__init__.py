"""Real engines, one file each: the same vectors in the engine itself, searched without an index that skips rows."""
