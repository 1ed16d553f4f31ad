"""EVM ledgers: the contracts of ``adapters/onchain/ethereum`` on whichever engine runs them."""
