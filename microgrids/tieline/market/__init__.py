"""Orders, clearing, settlement. Pure integers."""
