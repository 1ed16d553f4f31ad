"""Integers with a name, and who gains by a rounding."""
