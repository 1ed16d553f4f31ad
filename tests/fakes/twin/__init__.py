"""One ledger in two languages: the same messages to both, and what both made of them."""
