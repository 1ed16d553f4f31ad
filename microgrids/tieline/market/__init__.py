"""Orders, mechanisms, clearing, settlement. Pure."""
