"""The steps of the relayer, one file each; their order and reasons are in ``relay.pipeline``."""
