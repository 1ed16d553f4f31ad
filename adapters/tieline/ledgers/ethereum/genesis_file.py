"""
The birth of a chain that an engine of ours runs: Osaka rules from block 0, no consensus but the
engine's own, and ether for the accounts that need it.

A development chain's built-in genesis would run a fork that is not released, with other gas prices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

GAS_LIMIT: Final = 60_000_000
"""Of a block; what main net has."""
BASE_FEE_WEI: Final = 1_000_000_000
_FORKS: Final = (
    *("homesteadBlock", "eip150Block", "eip155Block", "eip158Block", "byzantiumBlock"),
    *("constantinopleBlock", "petersburgBlock", "istanbulBlock", "muirGlacierBlock"),
    *("berlinBlock", "londonBlock", "arrowGlacierBlock", "grayGlacierBlock"),
    *("mergeNetsplitBlock", "shanghaiTime", "cancunTime", "pragueTime", "osakaTime"),
)
_BLOBS: Final = {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716}


def genesis_json(
    chain_id: int,
    balances_wei: Mapping[bytes, int],
    time_s: int,
    *,
    gas_limit: int = GAS_LIMIT,
    extra_data: bytes = b"",
) -> str:
    """
    Return a genesis file as geth and anvil read it; two births differ by their time.

    Args:
        chain_id: What transactions are signed for, at least 1.
        balances_wei: By 20-byte address.
        time_s: Of block 0, unix seconds.
        gas_limit: Of a block.
        extra_data: Up to 32 bytes in block 0, so that its hash names more than the chain id.
    """
    config: dict[str, object] = {"chainId": chain_id, "terminalTotalDifficulty": 0}
    config |= dict.fromkeys(_FORKS, 0)
    config["blobSchedule"] = dict.fromkeys(("cancun", "prague", "osaka"), _BLOBS)
    genesis = {
        "config": config,
        "difficulty": "0x0",
        "gasLimit": hex(gas_limit),
        "baseFeePerGas": hex(BASE_FEE_WEI),
        "timestamp": hex(time_s),
        "extraData": "0x" + extra_data.hex(),
        "nonce": "0x0",
        "mixHash": "0x" + bytes(32).hex(),
        "coinbase": "0x" + bytes(20).hex(),
        "alloc": {
            "0x" + account.hex(): {"balance": hex(amount)}
            for account, amount in sorted(balances_wei.items())
        },
    }
    return json.dumps(genesis, indent=1) + "\n"
