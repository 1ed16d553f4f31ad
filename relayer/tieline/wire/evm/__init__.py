"""Bytes of EVM ledgers: RLP, headers, call data, logs."""
