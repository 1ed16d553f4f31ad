"""gRPC and REST as Cosmos wallets speak them, in a process of its own beside a peer."""
