"""Steps before a quantizer: centre, rotate, truncate, project."""
