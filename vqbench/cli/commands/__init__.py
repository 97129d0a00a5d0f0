"""The commands beside a run, each a function from arguments to an exit status."""
