"""CometBFT ledgers: the contract behind real headers and commits, in this process."""
