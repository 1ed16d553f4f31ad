"""
What the storage of an EVM ledger's contracts must hold where our contract holds this: packets,
PAY, vaults, locks, verdicts and statements, slot by slot.

Sources:
    ``Storage.sol`` (slots of mappings, order of fields); ``docs/spec/trust.md`` 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tieline.contract.accounts import pay_key
from tieline.contract.keys import vault_key
from tieline.contract.records import LockRecord, decode_amount, decode_lock, decode_verdict
from tieline.contract.store import IBC, TIELINE
from tieline.light_clients.evm.building import commitment_slot
from tieline.protocol.commitment import (
    acknowledgement_key,
    next_sequence_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.swap.lock import LockStatus
from tieline.wire.hashes import keccak

Scan = Callable[[str, bytes], Sequence[tuple[bytes, bytes]]]

_ACCOUNTS: Final = 1
_VAULTS: Final = 2
_LOCKS: Final = 5
_VERDICTS: Final = 6
_WORD: Final = 32
_ACCOUNT_KEY_BYTES: Final = 22
_WHOLE: Final = bytes([0xFF]) * _WORD
_PAY_MASK: Final = bytes(16) + bytes([0xFF]) * 16
"""The field declared first stands in the lowest bytes."""
_LOCK_MASK: Final = ((1 << 128) - 1).to_bytes(_WORD, "big")
"""Status, cap, paid and slashed; cursors and bond price stand above them."""
_VERDICT_HASH_BYTES: Final = 24
_SIGNER_BYTES: Final = 8
_SEQUENCE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class WantedSlot:
    """What one slot must hold."""

    what: str
    """In words."""
    is_host: bool
    """Of the IBC host; else of the trade application."""
    slot: bytes
    word: bytes
    """32 bytes; zeros: nothing."""
    mask: bytes = _WHOLE
    """Which bits are compared."""
    instead: bytes | None = None
    """What it may hold as well."""

    def fits(self, found: bytes | None) -> bool:
        """Say whether a proved word (None: nothing) is what must be there."""
        held = int.from_bytes(found or b"", "big") & int.from_bytes(self.mask, "big")
        allowed = {self.word} if self.instead is None else {self.word, self.instead}
        return held in {int.from_bytes(word, "big") for word in allowed}


def final_slots(scan: Scan) -> tuple[WantedSlot, ...]:
    """
    Return what must be proved, in one order for whoever proves and whoever checks.

    Args:
        scan: Returns all pairs of a store under a prefix, ascending.
    """
    return (
        *_packets(scan),
        *_accounts(scan),
        *_vaults(scan),
        *_locks(scan),
        *_verdicts(scan),
    )


def mapping_slot(key: bytes, slot: int) -> bytes:
    """Return where Solidity keeps the entry of *key*, 32 bytes, of the mapping at *slot*."""
    return keccak(key.rjust(_WORD, b"\0") + slot.to_bytes(_WORD, "big"))


def _packets(scan: Scan) -> Iterator[WantedSlot]:
    """Commitment, receipt and answer of every packet that was sent or received."""
    held = dict(scan(IBC, b""))
    for client_id in sorted(_client_ids(held)):
        sent = int.from_bytes(held.get(next_sequence_key(client_id), b"\x01"), "big")
        keys = {packet_commitment_key(client_id, number) for number in range(1, sent)}
        stem = packet_receipt_key(client_id, 0)[:-_SEQUENCE_BYTES]
        for key in held:
            if key.startswith(stem) and len(key) == len(stem) + _SEQUENCE_BYTES:
                number = int.from_bytes(key[-_SEQUENCE_BYTES:], "big")
                keys |= {key, acknowledgement_key(client_id, number)}
        for key in sorted(keys):
            word = held.get(key, bytes(_WORD))
            yield WantedSlot(
                f"commitment {key.hex()}", is_host=True, slot=commitment_slot(key), word=word
            )


def _client_ids(held: dict[bytes, bytes]) -> set[str]:
    prefix = b"clients/"
    return {
        key[len(prefix) :].partition(b"/")[0].decode() for key in held if key.startswith(prefix)
    }


def _accounts(scan: Scan) -> Iterator[WantedSlot]:
    for key, value in scan(TIELINE, b"a"):
        account = key[1:-1]
        if len(key) == _ACCOUNT_KEY_BYTES and key == pay_key(account):
            slot = mapping_slot(account, _ACCOUNTS)
            word = decode_amount(value).to_bytes(_WORD, "big")
            yield WantedSlot(
                f"PAY of {account.hex()}", is_host=False, slot=slot, word=word, mask=_PAY_MASK
            )


def _vaults(scan: Scan) -> Iterator[WantedSlot]:
    sums: dict[bytes, int] = {}
    for key, value in scan(TIELINE, b"w"):
        owner, shard = key[1:-1], key[-1]
        if len(key) == _ACCOUNT_KEY_BYTES and key == vault_key(owner, shard):
            sums[owner] = sums.get(owner, 0) + decode_amount(value)
    for owner, amount in sorted(sums.items()):
        slot, word = mapping_slot(owner, _VAULTS), amount.to_bytes(_WORD, "big")
        yield WantedSlot(f"vault of {owner.hex()}", is_host=False, slot=slot, word=word)


def _locks(scan: Scan) -> Iterator[WantedSlot]:
    for key, value in scan(TIELINE, b"l"):
        lock_id, record = key[1:], decode_lock(value)
        base = mapping_slot(record.hash_lock, _LOCKS)
        name = f"lock {lock_id.hex()}"
        is_refused = record.status is LockStatus.REFUSED
        held = bytes(byte ^ 0xFF for byte in lock_id) if is_refused else lock_id
        yield WantedSlot(f"{name}: id", is_host=False, slot=base, word=held)
        above = (int.from_bytes(base, "big") + 1) % (1 << 256)
        yield WantedSlot(
            f"{name}: state",
            is_host=False,
            slot=above.to_bytes(_WORD, "big"),
            word=_lock_word(record).to_bytes(_WORD, "big"),
            mask=_LOCK_MASK,
            # The turned id says that it is refused; a share that is collected writes it out.
            instead=bytes(_WORD) if is_refused else None,
        )


def _lock_word(record: LockRecord) -> int:
    if record.status in {LockStatus.OPEN, LockStatus.PENDING} and not record.paid_wh:
        return 0  # as it was opened: nothing is written before something changes
    return int(record.status) | record.cap_wh << 8 | record.paid_wh << 48 | record.slashed_wh << 88


def _verdicts(scan: Scan) -> Iterator[WantedSlot]:
    for key, value in scan(TIELINE, b"v"):
        slot_start, record = int.from_bytes(key[1:], "big"), decode_verdict(value)
        both = keccak(record.verdict_hash + record.decisions_root)[:_VERDICT_HASH_BYTES]
        word = both + record.signers.to_bytes(_SIGNER_BYTES, "big")
        slot = mapping_slot(slot_start.to_bytes(_WORD, "big"), _VERDICTS)
        yield WantedSlot(f"verdict of slot {slot_start}", is_host=False, slot=slot, word=word)
