"""Real engines that search the same codes, one a module."""
