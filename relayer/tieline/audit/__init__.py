"""Re-checks a finished run in a fresh process."""
