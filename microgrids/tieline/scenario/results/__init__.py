"""What came of a run: from ledgers, evidence and truth to the records that readers get."""
