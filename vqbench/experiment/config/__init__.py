"""Where configs lie, and the check of every node before any work."""
