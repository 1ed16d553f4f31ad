"""Composition root: the only place that knows ledgers and the rest together."""
