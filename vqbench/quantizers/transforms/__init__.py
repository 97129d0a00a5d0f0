"""Transforms, one family a file: what is done to a vector before it is quantized."""
