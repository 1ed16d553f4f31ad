"""Genesis and deployment record of an Ethereum ledger, as files that an operator names."""

from __future__ import annotations

from dataclasses import fields

from fakes.microgrid import key
from tieline.contract.genesis import Genesis
from tieline.ledgers.ethereum.deployment import Deployment, EvmAddresses

NAMES = tuple(one.name for one in fields(EvmAddresses))


class EvmChainFiles:
    """``g.json`` and ``d.json`` in a folder."""

    def __init__(self, folder, ledger_id):
        cell = key("cell")
        genesis = Genesis(ledger_id, b"\x05" * 32, cell.address, (cell.address,), kind="evm")
        addresses = {name: bytes([n + 1]) * 20 for n, name in enumerate(NAMES)}
        hashes = {name: bytes([n + 1]) * 32 for n, name in enumerate(NAMES)}
        deployment = Deployment(
            *(ledger_id, 1337, b"\x07" * 32),
            *(EvmAddresses(**addresses), EvmAddresses(**hashes), 2),
        )
        (folder / "g.json").write_bytes(genesis.to_bytes())
        (folder / "d.json").write_bytes(deployment.to_bytes())
