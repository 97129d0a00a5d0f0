"""Quantizers, one family a file: a frozen spec that fits a codec."""
