"""Where the shards of a search are worked on: in this process, in worker processes, on a cluster."""
