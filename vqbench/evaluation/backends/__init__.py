"""Real engines that search the same vectors, one a module; a module and a YAML under conf/backend add one."""
