"""
A chain whose blocks are made by a geth of our own, at times and with transactions that the caller
gives: the scenario's clock is all the consensus there is.

Geth's namespace ``testing`` executes a block of given contents and makes it the head, as an engine
API would with a payload of its own choice. A block is a function of parent, time and transactions,
so a chain that lost its last blocks to a kill gets the very same ones again.

Sources:
    go-ethereum 1.17.5, ``eth/catalyst/api_testing.go``; ``docs/adr/0049``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from eth_account import Account

from tieline.interfaces.errors import Rejected, Unavailable
from tieline.ledgers.ethereum.geth import DrivenGethProcess
from tieline.ledgers.ethereum.made_blocks import BLOCK_GAS, DOOR, Executed, MadeBlock
from tieline.ledgers.ethereum.refusals import CODESPACE
from tieline.ledgers.ethereum.rpc_records import AccountProof, number_of, octets_of, proof_of
from tieline.wire.errors import Malformed
from tieline.wire.evm.blocks import EvmBlock
from tieline.wire.evm.header import EvmHeader, decode_header
from tieline.wire.evm.receipts import Receipt, decode_receipt
from tieline.wire.evm.transactions import decode_transaction, transaction_hash

_ZERO_HASH: Final = "0x" + bytes(32).hex()
_ZERO_ADDRESS: Final = "0x" + bytes(20).hex()
_TOP_CALL: Final = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
_REVERTED: Final = "execution reverted"


class GethChain:
    """Implements ``made_blocks.MadeChain``."""

    def __init__(
        self, chain_id: int, fuel: Mapping[bytes, int], extra_data: bytes, folder: Path
    ) -> None:
        """
        Start a geth over the chain in *folder*, or over a new one.

        A chain that is there is told from block 1 on again by ``make_block``: what geth has is
        compared, what it lost is executed anew.

        Args:
            chain_id: Of EIP-155.
            fuel: wei that accounts have from block 0 on.
            extra_data: Up to 32 bytes in block 0.
            folder: Its home.

        Raises:
            ConfigError: Geth is not built, or the folder is another chain's.
            Unavailable: Geth does not come up.
        """
        self._geth = DrivenGethProcess(
            *(folder, chain_id, fuel), genesis_time_s=0, gas_limit=BLOCK_GAS, extra_data=extra_data
        )
        self._geth.start()
        self._headers: list[tuple[EvmHeader, bytes]] = [self._raw_header(0)]
        self._top = number_of(self._geth.call("eth_blockNumber"))
        """Of the blocks that geth has; those above ``height`` are told of no more than once."""

    @property
    def height(self) -> int:
        """Number of the last block; 0 is genesis."""
        return len(self._headers) - 1

    @property
    def time_s(self) -> int:
        """Time of the last block, unix seconds; 0 at genesis."""
        return self._headers[-1][0].timestamp

    def block_hash(self, height: int) -> bytes:
        """Return a block's hash."""
        return self._headers[height][0].hash()

    def header(self, height: int) -> bytes:
        """Return a header's RLP."""
        return self._headers[height][1]

    def time_of(self, height: int) -> int:
        """Return a block's time, unix seconds."""
        return self._headers[height][0].timestamp

    def state_root(self, height: int) -> bytes:
        """Return the root of the state after a block."""
        return self._headers[height][0].state_root

    def storage_root(self, address: bytes, height: int) -> bytes:
        """Return the root of an account's storage after a block. The account must be there."""
        return self._proof(address, (), height).storage_root

    def check(self, raw: bytes) -> None:
        """
        Check that the signer can pay; nonces are the caller's.

        Raises:
            Rejected: No block could hold it.
            Unavailable: Geth does not answer.
        """
        try:
            transaction = decode_transaction(raw)
            sender = octets_of(Account.recover_transaction(raw))
        except (Malformed, ValueError) as exc:
            raise Rejected(CODESPACE, DOOR, f"no transaction: {exc}") from exc
        held, cost = self.balance(sender), transaction.gas * transaction.max_fee
        if held < cost:
            text = f"account has too little gas: account=0x{sender.hex()} has={held} needs={cost}"
            raise Rejected(CODESPACE, DOOR, f"{text} wei")

    def make_block(self, time_s: int, transactions: Sequence[bytes]) -> MadeBlock:
        """
        Execute *transactions* in order and add them as one block; one that geth has already is
        taken as it is.

        Args:
            time_s: Later than the last block's.
            transactions: All of which ``check`` took, with the senders' next nonces.

        Raises:
            Unavailable: Geth does not answer, or refuses the block; quotes its words.
        """
        height = self.height + 1
        if self._top >= height and not self._has(height, time_s, transactions):
            self._geth.call("debug_setHead", hex(self.height))
            self._top = self.height
        if self._top < height:
            attributes: dict[str, object] = {
                "timestamp": hex(time_s),
                "prevRandao": _ZERO_HASH,
                "suggestedFeeRecipient": _ZERO_ADDRESS,
                "withdrawals": [],
                "parentBeaconBlockRoot": _ZERO_HASH,
            }
            contents = ["0x" + raw.hex() for raw in transactions]
            self._geth.call("testing_commitBlockV1", attributes, contents, "0x")
            self._top = height
        header, encoded = self._raw_header(height)
        answer = self._geth.call("debug_getRawReceipts", hex(height))
        receipts = [octets_of(one) for one in cast("list[object]", answer)]
        self._headers.append((header, encoded))
        executed = self._executed(transactions, [decode_receipt(one) for one in receipts])
        return MadeBlock(EvmBlock(encoded, tuple(transactions), tuple(receipts)), executed)

    def nonce(self, account: bytes) -> int:
        """Return the next nonce of an account after the last block."""
        return number_of(self._asked("eth_getTransactionCount", account))

    def balance(self, account: bytes) -> int:
        """Return wei of an account after the last block."""
        return number_of(self._asked("eth_getBalance", account))

    def code(self, address: bytes) -> bytes:
        """Return the code at an address after the last block."""
        return octets_of(self._asked("eth_getCode", address))

    def account_proof(self, address: bytes, height: int) -> tuple[bytes, ...]:
        """Return the nodes that show an account, or its absence, after block *height*."""
        return self._proof(address, (), height).nodes

    def storage_proof(
        self, address: bytes, slot: bytes, height: int
    ) -> tuple[bytes | None, tuple[bytes, ...]]:
        """Return a slot's value without leading zeros (None: absent) and its proof's nodes."""
        found = self._proof(address, (slot,), height)
        value = found.values[0]
        shown = value.to_bytes((value.bit_length() + 7) // 8, "big") if value else None
        return shown, found.storage_nodes[0]

    def close(self) -> None:
        """End geth; it keeps all its blocks."""
        self._geth.stop()

    def _has(self, height: int, time_s: int, transactions: Sequence[bytes]) -> bool:
        """Return whether geth's block is the one that is asked for: it may be of an untold end."""
        block = self._geth.call("eth_getBlockByNumber", hex(height), False)  # noqa: FBT003
        if not isinstance(block, dict):
            return False
        told = cast("dict[str, object]", block)
        hashes = ["0x" + transaction_hash(raw).hex() for raw in transactions]
        return told.get("transactions") == hashes and number_of(told.get("timestamp")) == time_s

    def _raw_header(self, height: int) -> tuple[EvmHeader, bytes]:
        encoded = octets_of(self._geth.call("debug_getRawHeader", hex(height)))
        return decode_header(encoded), encoded

    def _executed(
        self, transactions: Sequence[bytes], receipts: Sequence[Receipt]
    ) -> tuple[Executed, ...]:
        executed: list[Executed] = []
        before = 0
        for raw, receipt in zip(transactions, receipts, strict=True):
            gas, before = receipt.gas_used_so_far - before, receipt.gas_used_so_far
            output, breakdown = (b"", "") if receipt.is_success else self._why(raw)
            executed.append(
                Executed(
                    is_success=receipt.is_success,
                    output=output,
                    breakdown=breakdown,
                    logs=receipt.logs,
                    gas_used=gas,
                )
            )
        return tuple(executed)

    def _why(self, raw: bytes) -> tuple[bytes, str]:
        """Return what a failed transaction returned, or the EVM's word where it broke down."""
        named = "0x" + transaction_hash(raw).hex()
        answer = self._geth.call("debug_traceTransaction", named, _TOP_CALL)
        if not isinstance(answer, dict):
            raise Unavailable("answer without sense: no trace")
        told = cast("dict[str, object]", answer)
        output = octets_of(told.get("output", "0x"))
        error = str(told.get("error", ""))
        return output, "" if output else error.replace(_REVERTED, "") or "reverted without a word"

    def _asked(self, method: str, account: bytes) -> object:
        return self._geth.call(method, "0x" + account.hex(), hex(self.height))

    def _proof(self, address: bytes, slots: Sequence[bytes], height: int) -> AccountProof:
        named = ["0x" + slot.hex() for slot in slots]
        return proof_of(self._geth.call("eth_getProof", "0x" + address.hex(), named, hex(height)))
