"""What a contract runs to verify another ledger. Pure."""
