"""At which height of a ledger something is proved to a client of it elsewhere."""

from __future__ import annotations

from tieline.relay.ledger_view import LedgerView

PROOF_AGE_BLOCKS_MAX = 64
"""Ledgers prune old states; an older one is not asked for, the client is updated instead."""

HEADER_AHEAD_S_MAX = 15
"""A client of ours takes no header that is further ahead of its own ledger's clock."""


def serves(source: LedgerView, height: int, header_min: int, time_s_min: int = 0) -> bool:
    """Return whether a header is high enough, and of a late enough time if one is asked for."""
    if not height or height < header_min:
        return False
    return not time_s_min or source.provable_times.get(height, 0) >= time_s_min


def height_of_presence(
    source: LedgerView, host: LedgerView, client_id: str, header_min: int
) -> int | None:
    """
    Return the newest height that the client knows, else the newest that it could hold.

    Where the host's clock stands still between Ticks, the newest that this clock lets in comes
    before the newest of all: that one is refused until the clock has ticked, and then there is one
    that is newer still.

    Args:
        source: The ledger whose state is proved.
        host: The ledger that runs the client.
        client_id: The client.
        header_min: The header must not be lower.

    Returns:
        None if no header that serves has been seen yet.
    """
    header_min = _on_one_branch(source, header_min)
    candidates = [host.newest_client_height(client_id), source.provable_height]
    if host.has_ticks:
        candidates.insert(1, _newest_until(source, host.time_s + HEADER_AHEAD_S_MAX))
    for height in candidates:
        if _is_kept(source, height) and serves(source, height, header_min):
            return height
    return None


def height_of_absence(
    source: LedgerView, host: LedgerView, client_id: str, header_min: int, time_s_min: int
) -> int | None:
    """
    Return the lowest height of that time that the client knows, else the lowest it could hold.

    It is the same one every time it is asked for: a ledger that must write down first that nothing
    was received makes new heights by that, and the newest would never be the one it wrote for.

    Args:
        source: As of ``height_of_presence``, and so are the next three.
        host: The ledger that runs the client.
        client_id: The client.
        header_min: The header must not be lower.
        time_s_min: Nor of an earlier time, unix seconds.
    """
    header_min = _on_one_branch(source, header_min)
    candidates: list[int] = [*host.client_heights.get(client_id, [])]
    candidates += [host.newest_client_height(client_id), *source.provable_times]
    for height in candidates:
        if _is_kept(source, height) and serves(source, height, header_min, time_s_min):
            return height
    return None


def _newest_until(source: LedgerView, time_s_max: int) -> int:
    """Return the highest provable height of no later time; 0 if there is none."""
    for height in reversed(source.provable_times):
        if source.provable_times[height] <= time_s_max:
            return height
    return 0


def _is_kept(source: LedgerView, height: int) -> bool:
    """Whether a state is there to be asked for; the newest that can be proved always is."""
    is_young = source.height - PROOF_AGE_BLOCKS_MAX <= height <= source.height
    return is_young or height == source.provable_height


def _on_one_branch(source: LedgerView, header_min: int) -> int:
    """The block after a branch that was left stands on another one."""
    return max(header_min, source.left_height + 2) if source.left_height else header_min
