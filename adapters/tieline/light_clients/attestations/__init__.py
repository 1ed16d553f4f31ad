"""The attestations client of ibc-go v11: m of n secp256k1 signatures over a ledger's state."""
