"""Messages as bytes: protobuf, ABI, EIP-712, Merkle trees."""
