"""Configs: where they lie, how they are composed, and the check of every node before any work."""
