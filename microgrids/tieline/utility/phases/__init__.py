"""A slot's work, one file a phase. Each function does what is due and can be called again."""
