"""A whole world from YAML, driven by a clock."""
