"""A ledger's genesis as every kind of chain is first held to: its own, and of the kind it says."""

from __future__ import annotations

from tieline.audit.findings import Check, Findings, Place
from tieline.audit.run_files import LedgerFiles
from tieline.contract.genesis import Genesis


def read_genesis(files: LedgerFiles, kind: str, findings: Findings) -> tuple[Genesis, bool] | None:
    """
    Return a ledger's genesis, and whether it names this ledger and *kind*; None if it is none.

    Args:
        files: What the run has of the ledger.
        kind: Of the ledger, as its chain tag names it.
        findings: Where what is wrong is noted.
    """
    place = Place(files.chain_id, file="genesis.json")
    try:
        genesis = Genesis.from_bytes(files.genesis)
    except (ValueError, KeyError, TypeError) as error:
        findings.refuse(place, Check.FILES, "canonical genesis", "a genesis", error)
        return None
    same = findings.expect(
        place, Check.FILES, "chain id of genesis", files.chain_id, genesis.chain_id
    )
    same &= findings.expect(place, Check.FILES, "kind of ledger", kind, genesis.kind)
    return genesis, same
