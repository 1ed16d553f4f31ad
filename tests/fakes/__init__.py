"""Small true stand-ins for what lies outside a test; no scripted answers."""
