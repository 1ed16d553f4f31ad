"""What all ledgers agree on: IBC v2 core. Pure: no clock, no chance, no I/O."""
