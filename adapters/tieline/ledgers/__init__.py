"""What the hub runs to talk to a ledger."""
