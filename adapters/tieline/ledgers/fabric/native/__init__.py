"""A Fabric network of its real programs as child processes: peers, orderers, chaincode."""
