"""What the hub needs from the world."""
