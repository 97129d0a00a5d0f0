"""Metrics, one question a file: frozen specs that declare name, unit, range and direction."""
