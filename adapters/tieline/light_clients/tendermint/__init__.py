"""The light client of CometBFT ledgers, as ibc-go's 07-tendermint: headers, skipping, ICS-23."""
