"""
Whether two languages answered alike: the same end, the same refusal, the same events, the same
state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fakes.twin.reply import Reply, TwinHost

from tieline.contract.store import TIELINE
from tieline.protocol.events import Event

SEEN: Counter[tuple[str, str]] = Counter()
"""Refusals that met, as (Python's, byte code's) with their codespaces and codes."""

ALIKE: dict[tuple[str, str], str] = {
    ("client/30", "client/12"): "who signed a proof is asked of the client; ibc-go calls it a proof",
    ("client/34", "client/30"): "a packet on the EVM does not name its source; its path then differs",
    ("client/35", "client/4"): "an unknown client has no counterparty either",
    ("ibc/9", "client/7"): "an unknown height, above the newest or not",
    ("tieline/3", "tieline/2"): "a verdict without signatures is one that is not brought",
    ("tieline/24", "sdk/18"): "a side that is none is no pool's",
}
"""Refusals that differ in name, with the reason why that is no difference."""

TEXTS = {"receive_refused": "detail"}
"""Words for people, which each language chooses."""


def require_agreement(hosts: Sequence[TwinHost], replies: Sequence[Reply], note: str) -> None:
    """Compare what both made of one transaction."""
    python, byte_code = replies
    said = (
        f"{note}\n  python    {python.refusal} {python.detail}"
        f"\n  byte code {byte_code.refusal} {byte_code.detail}"
    )
    assert python.is_accepted == byte_code.is_accepted, said
    pair = (python.refusal, byte_code.refusal)
    SEEN[pair] += 1
    assert python.refusal == byte_code.refusal or pair in ALIKE, said
    ours, theirs = (dict(host.scan(TIELINE, b"")) for host in hosts)
    different = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    }
    assert not different, f"{said}\n  state {different}"
    if python.is_accepted:
        told, seen = ([_plain(event) for event in one.events] for one in replies)
        assert told == seen, f"{said}\n  {told}\n  {seen}"


def _plain(event: Event) -> Event:
    text = TEXTS.get(event.type)
    return Event(event.type, tuple(pair for pair in event.attributes if pair[0] != text))
