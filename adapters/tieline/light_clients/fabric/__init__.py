"""Light client of a Hyperledger Fabric channel: what was committed there as valid."""
