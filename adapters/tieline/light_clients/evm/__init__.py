"""The light client of EVM ledgers: sealed headers, account proofs, storage proofs."""
