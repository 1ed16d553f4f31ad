"""The short way through py-evm ends where py-evm's own way ends: result, gas, logs, state."""

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState
from eth.vm.message import Message
from eth_hash.auto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tieline.ledgers.ethereum.fast_evm import FastState

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""py-evm says that SELFDESTRUCT is deprecated when it meets one."""

AT, SENDER, OTHER = b"\xaa" * 20, b"\xbb" * 20, b"\xcc" * 20
EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
CALL_DATA = bytes(range(1, 71))

PUSHES = st.integers(0, 32).flatmap(
    lambda size: st.binary(min_size=size, max_size=size).map(
        lambda value: bytes([0x5F + len(value)]) + value
    )
)
SMALL = st.integers(0, 200).map(lambda value: b"\x60" + bytes([value]))
SHORT = st.sampled_from(bytes.fromhex("0102030406101112131415161718191b1c355051525657 5b")).map(
    lambda code: bytes([code])
)
LONG = st.sampled_from(
    # SDIV, SMOD, ADDMOD, EXP, SIGNEXTEND, BYTE, SAR, SHA3, ADDRESS, CALLER, CALLDATASIZE,
    # CALLDATACOPY, CODECOPY, TIMESTAMP, MSTORE8, SLOAD, SSTORE, PC, MSIZE, GAS, MCOPY, LOG1, TLOAD
    bytes.fromhex("0507080a0b1a1d20303336373942535455 58595a5ea15c")
).map(lambda code: bytes([code]))
MOVES = st.integers(0x80, 0x9F).map(lambda code: bytes([code]))
ENDS = st.sampled_from([b"\x00", b"\xf3", b"\xfd", b"\xfe", b"\x0c"])
CALLS = st.sampled_from(
    [
        # A call of OTHER, whose code stores and fails or not; and of the hash at address 2.
        b"\x5f\x5f\x60\x20\x5f\x5f\x73" + OTHER + b"\x61\xff\xff\xf1",
        b"\x60\x20\x5f\x60\x20\x5f\x60\x02\x5a\xfa",
    ]
)
PARTS = st.one_of(SMALL, SMALL, PUSHES, SHORT, SHORT, SHORT, MOVES, MOVES, LONG, LONG, CALLS, ENDS)
LOOP = bytes.fromhex("60055b6001900380600257")
"""Five times round: JUMPDEST, SUB, DUP, JUMPI."""
SHOW = bytes.fromhex("5f5260205ff3")
"""Returns the top of the stack."""
OF_OTHER = bytes.fromhex("60015f5560205f525a60405260605ff3")


def run(state_class, code, gas, depth=0):
    """Execute *code* and return all that can be seen of it."""
    context = ExecutionContext(
        coinbase=bytes(20),
        timestamp=1_800_000_000,
        block_number=7,
        difficulty=0,
        mix_hash=bytes(32),
        gas_limit=10**9,
        prev_hashes=(),
        chain_id=5,
        base_fee_per_gas=0,
        excess_blob_gas=0,
    )
    state = state_class(AtomicDB(), context, EMPTY_ROOT)
    state.set_code(AT, code)
    state.set_code(OTHER, OF_OTHER)
    state.lock_changes()
    state.mark_address_warm(AT)
    message = Message(
        gas=gas, to=AT, sender=SENDER, value=0, data=CALL_DATA, code=code, depth=depth
    )
    done = state.computation_class.apply_message(
        state, message, state.get_transaction_context_class()(gas_price=0, origin=SENDER)
    )
    logs = done.get_log_entries() if done.is_success else ()
    state.persist()
    error = None if done.is_success else type(done.error).__name__
    return done.output, error, done.get_gas_used(), done.get_gas_refund(), logs, state.state_root


def same(code, gas=200_000):
    """Compare both ways."""
    assert run(FastState, code, gas) == run(PragueState, code, gas), code.hex()


@settings(max_examples=400, deadline=None)
@given(
    st.lists(PARTS, max_size=60).map(lambda parts: b"".join(parts) + SHOW), st.integers(0, 300_000)
)
@example(LOOP, 200_000)
@example(b"\x5b" * 1_100, 200_000)
@example(b"\x5f" * 1_025, 200_000)
@example(b"\x5f" * 1_024 + b"\x80", 200_000)
def test_programs_end_alike(code, gas):
    """Whatever they do, and wherever gas or stack end."""
    same(code, gas)


WORDS = [0, 1, 33, 255, 256, 2**255 - 1, 2**255, 2**256 - 1]
SHORT_CODES = [1, 2, 3, 4, 6, *range(0x10, 0x1A), 0x1B, 0x1C, 0x35, 0x51]


@pytest.mark.parametrize("code", SHORT_CODES)
def test_every_instruction_says_the_same_of_every_pair_of_words(code):
    """Signs, overflows, shifts by more than there is."""
    for first in WORDS:
        for second in WORDS:
            if code == 0x51 and first > 10_000:
                continue
            pushes = b"".join(b"\x7f" + word.to_bytes(32, "big") for word in (3, second, first))
            same(pushes + bytes([code]) + SHOW, 100_000)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 100_000))
def test_bytes_that_are_no_program_end_alike(code, gas):
    """Unknown instructions among them."""
    same(code, gas)


@pytest.mark.parametrize(
    "code",
    [
        "6005",  # pushes, and ends without a STOP
        "61ff",  # a push that is cut off
        "600456005b600100",  # jumps over a STOP
        "60045600605b",  # into the data of a push
        "60ff56",  # beyond the end
        "7f" + "ff" * 32 + "56",  # far beyond
        "5f5f57",  # does not jump
        "60015f57",  # would jump to 0, where no target is
        "6001600203600052",  # memory that is not there yet
        "7f" + "ff" * 32 + "51",  # memory that nobody can pay
        "7f" + "ff" * 32 + "35",  # call data beyond its end
        "603c35600052604060003560205260606000f3",
        "5a5a5a035f5260205ff3",  # gas, seen from inside
        "303303",  # bytes that long instructions push, taken by short ones
    ],
)
def test_corners_end_alike(code):
    """Each by itself, with gas enough and with every amount too little."""
    raw = bytes.fromhex(code)
    same(raw)
    for gas in range(0, 60, 3):
        same(raw, gas)


def test_what_is_compared_can_differ():
    """Another program gives another answer: the comparison sees gas, output and state."""
    store, other = bytes.fromhex("60015f55"), bytes.fromhex("60025f55")
    assert run(FastState, store, 100_000) != run(PragueState, other, 100_000)
    assert keccak(b"") != keccak(store)
