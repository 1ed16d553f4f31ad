"""The running relayer: observe, decide, write to the journal, perform."""
