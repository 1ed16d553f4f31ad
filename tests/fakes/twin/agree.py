"""
Whether two languages answered alike: the same end, the same refusal, the same events, the same
state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fakes.twin.evm_ledger import EvmLedger
from fakes.twin.reply import Reply, TwinHost
from fakes.twin.storage import differences
from tieline.contract.store import TIELINE
from tieline.protocol.events import Event

SEEN: Counter[tuple[str, str]] = Counter()
"""Refusals that met, as (Python's, byte code's) with their codespaces and codes."""

PACKETS = ("RecvPacket", "AcknowledgePacket", "TimeoutPacket")
ALIKE: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("client/30", "client/12"): (PACKETS, "who signed is asked of the client; ibc-go: a proof"),
    ("client/34", "client/30"): (PACKETS, "an EVM packet names no source; its path then differs"),
    ("ibc/9", "client/7"): (PACKETS, "an unknown height, above the newest or not"),
    ("client/35", "client/4"): (("MsgLockAndSend",), "an unknown client has no counterparty"),
    ("tieline/3", "tieline/2"): (("MsgApplyVerdict",), "without signatures it is not brought"),
    ("tieline/3", "tieline/27"): (("MsgApplyVerdict",), "and is not the one that is stored"),
    ("tieline/20", "tieline/25"): (("MsgRefund",), "a pending lock has no answered packet"),
    ("tieline/26", "tieline/25"): (("MsgRefund",), "a pending lock has no answered packet"),
    ("tieline/24", "sdk/18"): (("MsgCollectShare",), "a side that is none is no pool's"),
}
"""Refusals that differ in name: of which messages, and why that is no difference."""

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
    kinds, _ = ALIKE.get(pair, ((), ""))
    assert python.refusal == byte_code.refusal or any(kind in note for kind in kinds), said
    ours, theirs = (dict(host.scan(TIELINE, b"")) for host in hosts)
    different = {
        key: (ours.get(key), theirs.get(key))
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    }
    assert not different, f"{said}\n  index {different}"
    ledger = hosts[1]
    assert isinstance(ledger, EvmLedger)
    wrong = list(differences(ledger.evm, ledger.addresses.app, ours))
    assert not wrong, f"{said}\n  storage {wrong}"
    if python.is_accepted:
        told, seen = ([_plain(event) for event in one.events] for one in replies)
        assert told == seen, f"{said}\n  {told}\n  {seen}"


def _plain(event: Event) -> Event:
    text = TEXTS.get(event.type)
    return Event(event.type, tuple(pair for pair in event.attributes if pair[0] != text))
