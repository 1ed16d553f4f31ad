"""One file a change of the tables, numbered; never edited once released."""
