"""Stock ibc-go chains: packets only, with nothing of ours on them."""
