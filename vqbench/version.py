"""The version, for the package, its command and what a run writes down."""

__version__ = "0.1.0"
