"""The gRPC queries of a Cosmos chain, answered from the contract's committed state."""
