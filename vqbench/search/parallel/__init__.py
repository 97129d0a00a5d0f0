"""Where shards of a corpus are searched: threads, processes, clusters."""
