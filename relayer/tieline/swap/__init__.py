"""Hashed timelocks: what must hold for value. Pure."""
