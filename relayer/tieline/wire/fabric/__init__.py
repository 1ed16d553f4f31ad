"""Bytes of Hyperledger Fabric: what its peers, orderers and our chaincode say to one another."""
