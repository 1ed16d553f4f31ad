"""Which storage an EVM ledger is held to, and what of it is compared."""

from collections.abc import Sequence
from dataclasses import replace

import eth_abi
import pytest
from eth_hash.auto import keccak as eth_keccak

from tieline.contract.accounts import pay_key
from tieline.contract.keys import lock_key
from tieline.contract.records import LockRecord, encode_amount, encode_lock
from tieline.contract.store import IBC, TIELINE
from tieline.contract.twin.final_slots import WantedSlot, final_slots, mapping_slot
from tieline.light_clients.evm.building import commitment_slot
from tieline.protocol.commitment import (
    acknowledgement_key,
    client_prefix,
    next_sequence_key,
    packet_commitment_key,
    packet_receipt_key,
)
from tieline.swap.lock import Leg, LockStatus

ACCOUNT, LOCK_ID, H = b"\x11" * 20, b"\x22" * 32, b"\x44" * 32
CLIENT = "attestations-0"
WORD, NOTHING = b"\x33" * 32, bytes(32)
ZERO = bytes(32)
LOCK = LockRecord(
    leg=Leg.IN,
    status=LockStatus.CLOSED,
    trade_id=ZERO,
    hash_lock=H,
    payer=ACCOUNT,
    payee=ACCOUNT,
    is_buyer_pool=False,
    is_seller_pool=False,
    energy_wh=5_000,
    price=200_000,
    bond_price=0,
    cap_wh=4_000,
    paid_wh=3_000,
    slashed_wh=0,
    expiry=9,
    late_expiry=9,
    tau=1,
    verdict_deadline=2,
    slot_start=3,
    slot_length=900,
    level=2,
    cell_set_id=ZERO,
    allocations_root=ZERO,
    peer_chain_tag=ZERO,
    peer_lock_id=ZERO,
    client=CLIENT,
    sequence=1,
    packet_commitment=ZERO,
    mandate_id=ZERO,
)


def wanted(ibc: dict[bytes, bytes], trade: dict[bytes, bytes]) -> tuple[WantedSlot, ...]:
    stores = {IBC: ibc, TIELINE: trade}

    def scan(store: str, prefix: bytes) -> Sequence[tuple[bytes, bytes]]:
        return sorted(pair for pair in stores[store].items() if pair[0].startswith(prefix))

    return final_slots(scan)


def test_a_mappings_entry_lies_where_solidity_puts_it() -> None:
    by_account = eth_abi.encode(["address", "uint256"], ["0x" + ACCOUNT.hex(), 1])
    assert mapping_slot(ACCOUNT, 1) == eth_keccak(by_account)
    assert mapping_slot(H, 5) == eth_keccak(eth_abi.encode(["bytes32", "uint256"], [H, 5]))


def test_packets_are_held_to_what_was_sent_received_and_answered() -> None:
    ibc = {
        client_prefix(CLIENT) + b"clientState": b"any",
        next_sequence_key(CLIENT): (3).to_bytes(8, "big"),
        packet_commitment_key(CLIENT, 2): WORD,
        packet_receipt_key(CLIENT, 7): WORD,
    }
    found = {one.slot: one for one in wanted(ibc, {})}
    expected = {
        packet_commitment_key(CLIENT, 1): NOTHING,  # it has ended
        packet_commitment_key(CLIENT, 2): WORD,
        packet_receipt_key(CLIENT, 7): WORD,
        acknowledgement_key(CLIENT, 7): NOTHING,
    }
    assert {slot: one.word for slot, one in found.items()} == {
        commitment_slot(key): word for key, word in expected.items()
    }
    assert all(one.is_host for one in found.values())
    ended = found[commitment_slot(packet_commitment_key(CLIENT, 1))]
    assert ended.fits(None)
    assert not ended.fits(WORD)


def test_of_an_account_only_its_pay_is_compared() -> None:
    (pay,) = wanted({}, {pay_key(ACCOUNT): encode_amount(77)})
    assert (pay.slot, pay.is_host) == (mapping_slot(ACCOUNT, 1), False)
    counts = (12345 << 128 | 77).to_bytes(32, "big")
    assert pay.fits(counts)
    assert pay.fits((77).to_bytes(32, "big"))
    assert not pay.fits((78).to_bytes(32, "big"))
    assert not pay.fits(None)


def test_a_lock_is_held_to_its_id_and_to_what_of_it_changes() -> None:
    identity, state = wanted({}, {lock_key(LOCK_ID): encode_lock(LOCK)})
    assert identity.slot == mapping_slot(H, 5)
    assert int.from_bytes(state.slot, "big") == int.from_bytes(identity.slot, "big") + 1
    assert identity.word == LOCK_ID
    packed = 3 | 4_000 << 8 | 3_000 << 48
    assert state.fits(packed.to_bytes(32, "big"))
    assert state.fits((packed | 99 << 128 | 50_000 << 208).to_bytes(32, "big")), "cursors, bond"
    for bit in (0, 8, 48, 88):
        assert not state.fits((packed ^ 1 << bit).to_bytes(32, "big"))


def test_a_refused_lock_is_its_id_with_every_bit_turned() -> None:
    refused = replace(LOCK, status=LockStatus.REFUSED, cap_wh=0, paid_wh=0)
    identity, state = wanted({}, {lock_key(LOCK_ID): encode_lock(refused)})
    assert identity.word == b"\xdd" * 32
    assert not identity.fits(LOCK_ID)
    assert state.fits(None)
    assert state.fits((6 | 17 << 128).to_bytes(32, "big")), "after a share was collected"
    assert not state.fits((3).to_bytes(32, "big"))


@pytest.mark.parametrize("status", [LockStatus.OPEN, LockStatus.PENDING])
def test_a_lock_as_it_was_opened_has_no_state(status: LockStatus) -> None:
    fresh = replace(LOCK, status=status, cap_wh=LOCK.energy_wh, paid_wh=0)
    _, state = wanted({}, {lock_key(LOCK_ID): encode_lock(fresh)})
    assert state.fits(None)
