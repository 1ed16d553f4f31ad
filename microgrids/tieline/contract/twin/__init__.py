"""
What an EVM ledger's contracts say, in the records of our own contract: so that everybody reads an
EVM ledger like any other. Deterministic, without I/O, rebuilt from logs whenever it is lost.
"""
