"""The utility cell: a slot's work, one file a phase."""
