"""
A chain of py-evm blocks in memory: the only module that knows py-evm and eth-tester.

Reaching into ``backend.chain`` is no public interface of theirs: both versions are pinned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rlp as their_rlp
from eth.constants import POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE
from eth.exceptions import PyEVMError
from eth.vm.forks.prague import PragueVM
from eth_hash import auto
from eth_hash.backends import pysha3
from eth_tester.backends.pyevm.main import PyEVMBackend
from eth_utils.exceptions import ValidationError
from trie.hexary import HexaryTrie

from tieline.interfaces.errors import Rejected
from tieline.ledgers.ethereum.fast_evm import FastVM
from tieline.ledgers.ethereum.made_blocks import BLOCK_GAS, DOOR, Executed, MadeBlock
from tieline.ledgers.ethereum.refusals import CODESPACE
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.logs import Log
from tieline.wire.hashes import keccak

# The default of eth_hash is ten times as slow, and the EVM does little else than hash.
_keccak: Any = auto.keccak
_keccak.hasher, _keccak.preimage = pysha3.keccak256, pysha3.preimage

_rlp: Any = their_rlp
"""Of headers and nodes in py-evm's own classes; bytes are ``wire.evm.rlp``'s."""
_STORAGE_ROOT = 2
"""Place in an account's RLP: nonce, balance, storage root, code hash."""
_UNREADABLE = (PyEVMError, ValidationError, their_rlp.exceptions.RLPException, ValueError)


class PyEvmChain:
    """Implements ``made_blocks.MadeChain``."""

    def __init__(
        self,
        chain_id: int,
        fuel: Mapping[bytes, int],
        extra_data: bytes,
        rules: type[PragueVM] = FastVM,
    ) -> None:
        """
        Begin a chain.

        Args:
            chain_id: Of EIP-155.
            fuel: wei that accounts have from block 0 on.
            extra_data: Up to 32 bytes in block 0, so that its hash names more than the chain id.
            rules: Of the fork.
        """
        parameters = {
            "coinbase": bytes(20),
            "difficulty": POST_MERGE_DIFFICULTY,
            "extra_data": extra_data,
            "gas_limit": BLOCK_GAS,
            "mix_hash": POST_MERGE_MIX_HASH,
            "nonce": POST_MERGE_NONCE,
            "timestamp": 0,
        }
        state: dict[bytes, dict[str, Any]] = {
            account: {"balance": wei, "storage": {}, "code": b"", "nonce": 0}
            for account, wei in sorted(fuel.items())
        }
        self._chain: Any = PyEVMBackend(parameters, state, ((0, rules),)).chain
        self._chain.chain_id = chain_id
        self._headers: list[Any] = [self._chain.get_canonical_head()]

    @property
    def height(self) -> int:
        """Number of the last block; 0 is genesis."""
        return len(self._headers) - 1

    @property
    def time_s(self) -> int:
        """Time of the last block, unix seconds; 0 at genesis."""
        return int(self._headers[-1].timestamp)

    @property
    def base_fee(self) -> int:
        """Wei per gas that the next block asks for."""
        return int(self._chain.header.base_fee_per_gas)

    def block_hash(self, height: int) -> bytes:
        """Return a block's hash."""
        return bytes(self._headers[height].hash)

    def header(self, height: int) -> bytes:
        """Return a header's RLP."""
        return bytes(_rlp.encode(self._headers[height]))

    def time_of(self, height: int) -> int:
        """Return a block's time, unix seconds."""
        return int(self._headers[height].timestamp)

    def state_root(self, height: int) -> bytes:
        """Return the root of the state after a block."""
        return bytes(self._headers[height].state_root)

    def storage_root(self, address: bytes, height: int) -> bytes:
        """Return the root of an account's storage after a block. The account must be there."""
        account = self._trie(self._headers[height].state_root).get(keccak(address))
        return bytes(_rlp.decode(account)[_STORAGE_ROOT])

    def check(self, raw: bytes) -> None:
        """
        Check a transaction's form, signature and fee; nonces are the caller's.

        Raises:
            Rejected: No block could hold it.
        """
        try:
            transaction = self._decode(raw)
            sender = transaction.sender
            transaction.validate()
        except _UNREADABLE as exc:
            raise Rejected(CODESPACE, DOOR, f"no transaction: {exc}") from exc
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        held = self.balance(bytes(sender))
        if held < cost:
            raise Rejected(
                CODESPACE,
                DOOR,
                f"account has too little gas: account=0x{sender.hex()} has={held} needs={cost} wei",
            )

    def make_block(self, time_s: int, transactions: Sequence[bytes]) -> MadeBlock:
        """
        Execute *transactions* in order and add them as one block.

        Args:
            time_s: Later than the last block's.
            transactions: All of which ``check`` took, with the senders' next nonces.
        """
        self._chain.set_header_timestamp(time_s)
        decoded = [self._decode(raw) for raw in transactions]
        result, receipts, computations = self._chain.mine_all(decoded)
        header = result.imported_block.header
        self._headers.append(header)
        encoded = tuple(bytes(receipt.encode()) for receipt in receipts)
        before = 0
        executed: list[Executed] = []
        for receipt, computation in zip(receipts, computations, strict=True):
            executed.append(_executed(receipt, computation, int(receipt.gas_used) - before))
            before = int(receipt.gas_used)
        block = EvmBlock(bytes(_rlp.encode(header)), tuple(transactions), encoded)
        return MadeBlock(block, tuple(executed))

    def nonce(self, account: bytes) -> int:
        """Return the next nonce of an account after the last block."""
        return int(self._state().get_nonce(account))

    def balance(self, account: bytes) -> int:
        """Return wei of an account after the last block."""
        return int(self._state().get_balance(account))

    def code(self, address: bytes) -> bytes:
        """Return the code at an address after the last block."""
        return bytes(self._state().get_code(address))

    def account_proof(self, address: bytes, height: int) -> tuple[bytes, ...]:
        """Return the nodes that show an account, or its absence, after block *height*."""
        return _nodes(self._trie(self._headers[height].state_root), keccak(address))

    def storage_proof(
        self, address: bytes, slot: bytes, height: int
    ) -> tuple[bytes | None, tuple[bytes, ...]]:
        """Return a slot's value without leading zeros (None: absent) and its proof's nodes."""
        trie = self._trie(self.storage_root(address, height))
        stored = trie.get(keccak(slot))
        return (bytes(_rlp.decode(stored)) if stored else None), _nodes(trie, keccak(slot))

    def close(self) -> None:
        """Nothing runs outside this process."""

    def _trie(self, root: bytes) -> Any:
        return HexaryTrie(self._chain.chaindb.db, root)

    def _decode(self, raw: bytes) -> Any:
        return self._chain.get_transaction_builder().decode(raw)

    def _state(self) -> Any:
        return self._chain.get_vm(self._chain.header).state


def _nodes(trie: Any, key: bytes) -> tuple[bytes, ...]:
    return tuple(bytes(_rlp.encode(node)) for node in trie.get_proof(key))


def _executed(receipt: Any, computation: Any, gas_used: int) -> Executed:
    logs = tuple(
        Log(
            bytes(log.address),
            tuple(topic.to_bytes(32, "big") for topic in log.topics),
            bytes(log.data),
        )
        for log in receipt.logs
    )
    if computation.is_success:
        return Executed(is_success=True, output=b"", breakdown="", logs=logs, gas_used=gas_used)
    output = bytes(computation.output)
    breakdown = "" if output else f"{type(computation.error).__name__}: {computation.error}"
    return Executed(
        is_success=False, output=output, breakdown=breakdown, logs=(), gas_used=gas_used
    )
