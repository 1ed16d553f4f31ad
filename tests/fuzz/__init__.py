"""Decoders under bytes that nobody sent, and the programs that feed them."""
