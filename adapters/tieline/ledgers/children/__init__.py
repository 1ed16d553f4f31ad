"""Engines as child processes: free ports, a guard that ends them with their parent, logs."""
