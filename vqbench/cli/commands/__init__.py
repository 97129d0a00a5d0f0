"""The commands beside the sweep."""
