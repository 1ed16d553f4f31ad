"""The one state machine that a microgrid's ledger enforces. Pure."""
