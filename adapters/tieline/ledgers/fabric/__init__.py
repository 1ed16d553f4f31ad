"""Ledgers on Hyperledger Fabric: the adapter, and the engines that it runs on."""
