"""One file a mechanism: who trades, at which price."""
