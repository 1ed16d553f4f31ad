"""Which keys the transactions of one block share."""

from __future__ import annotations

from tieline.contract.block import Application


def conflicts(application: Application) -> set[tuple[str, bytes]]:
    """Keys that one transaction of the last block wrote and another read or wrote."""
    touched = [(one.writes, one.reads | one.writes) for one in application.last_access]
    return {
        found
        for here, (writes, _) in enumerate(touched)
        for there, (_, all_keys) in enumerate(touched)
        if here != there
        for found in writes & all_keys
    }
