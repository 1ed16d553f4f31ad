"""
A real EVM without blocks: py-evm's state, on which messages are run one after another at times
that tests choose, and which can be put back to where it was.

Ten times as fast as signed transactions in mined blocks; what needs those (gas of a transaction,
receipts, proofs) uses the embedded ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState
from eth.vm.message import Message
from eth_hash.auto import keccak
from eth_utils import to_bytes

from tieline.ledgers.ethereum import pyevm_chain

BLANK_ROOT = to_bytes(hexstr="0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
GAS_LIMIT = 30_000_000
FAST_HASHES = pyevm_chain
"""It gives py-evm a fast keccak when it is imported."""
CHAIN_ID = 131_277_322_940_537
"""As eth-tester's chains have it."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract told."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Called:
    """How a message ended."""

    is_success: bool
    output: bytes
    """What it returned, or why it reverted; empty if it broke down."""
    logs: tuple[Log, ...]
    gas_used: int
    """Without a transaction's own 21,000 and its calldata, before refunds."""
    error: str = ""
    refund: int = 0
    """Gas that freed storage gives back, before its bound."""

    def transaction_gas(self, data: bytes) -> int:
        """
        Return what a receipt would say, by the rules of Prague.

        Sources:
            EIP-2028 (calldata), EIP-3529 (refunds, a fifth at most), EIP-7623 (floor).
        """
        zeros = data.count(0)
        tokens = zeros + 4 * (len(data) - zeros)
        used = 21_000 + 4 * tokens + self.gas_used
        used -= min(self.refund, used // 5)
        return max(used, 21_000 + 10 * tokens)


class BareEvm:
    """State, time and nothing else. Everything is free and everybody may send."""

    def __init__(self, now_s: int, chain_id: int = CHAIN_ID) -> None:
        self.now_s = now_s
        self.height = 1
        self.chain_id = chain_id
        self._db = AtomicDB()
        self._open(BLANK_ROOT)

    def _open(self, root: bytes) -> None:
        context = ExecutionContext(
            coinbase=bytes(20),
            timestamp=self.now_s,
            block_number=self.height,
            difficulty=0,
            mix_hash=bytes(32),
            gas_limit=GAS_LIMIT,
            prev_hashes=(),
            chain_id=self.chain_id,
            base_fee_per_gas=0,
            excess_blob_gas=0,
        )
        self._state = PragueState(self._db, context, root)

    def save(self) -> tuple[bytes, int, int]:
        """Return a place to go back to, as often as one likes."""
        self._state.persist()
        return self._state.state_root, self.now_s, self.height

    def restore(self, place: tuple[bytes, int, int]) -> None:
        """Go back."""
        root, self.now_s, self.height = place
        self._open(root)

    def code(self, address: bytes) -> bytes:
        """Return the code at an address."""
        return bytes(self._state.get_code(address))

    def put_code(self, address: bytes, code: bytes) -> None:
        """Replace the code at an address, as no transaction could."""
        self._state.set_code(address, code)

    def storage(self, address: bytes, slot: int) -> int:
        """Return one storage slot."""
        return int(self._state.get_storage(address, slot))

    def deploy(self, sender: bytes, code: bytes) -> bytes:
        """Run creation code and return the new contract's address."""
        nonce = self._state.get_nonce(sender)
        self._state.increment_nonce(sender)
        address = contract_address(sender, nonce)
        message = Message(
            gas=GAS_LIMIT,
            to=b"",
            sender=sender,
            value=0,
            data=b"",
            code=code,
            create_address=address,
        )
        self._begin()
        result = self._run(message, sender)
        assert result.is_success, f"deployment failed: {result.error} {result.output.hex()}"
        return address

    def call(
        self, sender: bytes, to: bytes, data: bytes, gas: int = GAS_LIMIT, value: int = 0
    ) -> Called:
        """Run one message as a transaction of its own; a revert undoes it."""
        self._begin()
        return self._run(self._message(sender, to, data, gas, value), sender)

    def view(self, to: bytes, data: bytes) -> bytes:
        """Ask a contract; nothing of it stays."""
        self._begin()
        before = self._state.snapshot()
        result = self._run(self._message(bytes(20), to, data, GAS_LIMIT, 0), bytes(20))
        self._state.revert(before)
        assert result.is_success, f"view failed: {result.error} {result.output.hex()}"
        return result.output

    def _message(self, sender: bytes, to: bytes, data: bytes, gas: int, value: int) -> Message:
        code = self._state.get_code(to)
        return Message(gas=gas, to=to, sender=sender, value=value, data=data, code=code)

    def _begin(self) -> None:
        """Forget what lives as long as one transaction."""
        context = self._state.execution_context
        context._timestamp = self.now_s
        context._block_number = self.height
        self._state.lock_changes()
        self._state.clear_transient_storage()

    def _run(self, message: Message, sender: bytes) -> Called:
        self._state.mark_address_warm(sender)
        if message.to:
            self._state.mark_address_warm(message.to)
        transaction = self._state.get_transaction_context_class()(gas_price=0, origin=sender)
        kind = self._state.computation_class
        run = kind.apply_create_message if message.is_create else kind.apply_message
        done = run(self._state, message, transaction)
        logs = (
            tuple(
                Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
                for address, topics, data in done.get_log_entries()
            )
            if done.is_success
            else ()
        )
        error = "" if done.is_success else f"{type(done.error).__name__}: {done.error}"
        refund = done.get_gas_refund() if done.is_success else 0
        used = done.get_gas_used()
        return Called(done.is_success, bytes(done.output), logs, used, error[:200], refund)


def contract_address(sender: bytes, nonce: int) -> bytes:
    """Return where the contract lies that *sender* creates with *nonce*."""
    number = b"" if nonce == 0 else nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = (
        number if len(number) == 1 and number[0] < 0x80 else bytes((0x80 + len(number),)) + number
    )
    return keccak(bytes((0xC0 + 21 + len(encoded),)) + b"\x94" + sender + encoded)[-20:]
