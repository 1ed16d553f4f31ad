"""A ledger for tests: one Application with a fake light client, an echo application, and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fakes.light_client import CONSENSUS, STATE, FakeLightClient, header
from tieline.contract.application import RecvResult
from tieline.contract.block import Application
from tieline.contract.context import Context
from tieline.contract.energy_trade import ENCODING, PORT, VERSION
from tieline.contract.genesis import Genesis, Parameters
from tieline.contract.installation import Installation
from tieline.contract.results import BlockInput, TxResult
from tieline.contract.state_tree import HashChain, StateTree
from tieline.protocol.errors import ProtocolError
from tieline.protocol.events import Event
from tieline.protocol.messages import AnyMessage, CreateClient, RegisterCounterparty
from tieline.protocol.packet import Packet, Payload
from tieline.swap.messages import MsgSend
from tieline.wire.codec import build_transaction
from tieline.wire.hashes import sha256
from tieline.wire.keys import SecpKey

START_S = 1_767_225_600
CHAIN_ID = "tieline-a-1"
LOCAL, REMOTE = "07-fake-0", "07-fake-9"


def key(name: str) -> SecpKey:
    """A key for every name, the same in every run."""
    return SecpKey(sha256(b"test key " + name.encode()))


class TooEarly(ProtocolError):
    """What the echo application cannot judge yet."""

    codespace = "echo"
    code = 2


@dataclass
class EchoApplication:
    """Answers as the packet asks: ``ok``, ``later``, ``no``, ``early``; anything else breaks."""

    port: str = "echo"
    allows_plain_send: bool = True
    version: str = "echo-1"
    encoding: str = "text"

    def on_send(self, ctx: Context, packet: Packet) -> None:
        ctx.emit(Event("echo_sent", ()))

    def speaks(self, payload: Payload) -> bool:
        return (payload.version, payload.encoding) == (self.version, self.encoding)

    def on_recv(self, ctx: Context, packet: Packet) -> RecvResult:
        asked = packet.payloads[0].value
        ctx.state.set(b"zecho" + packet.sequence.to_bytes(8, "big"), asked)
        ctx.emit(Event("echo_received", ()))
        if asked == b"ok":
            return RecvResult.success(b"done")
        if asked == b"later":
            return RecvResult.later()
        if asked == b"no":
            return RecvResult.error(Event("receive_refused", (("reason", "19"),)))
        if asked == b"early":
            raise TooEarly("not posted here")
        message = f"cannot echo {asked!r}"
        raise LookupError(message)

    def on_acknowledge(self, ctx: Context, packet: Packet, acknowledgement: bytes) -> None:
        ctx.state.set(b"zacked" + packet.sequence.to_bytes(8, "big"), acknowledgement)

    def on_timeout(self, ctx: Context, packet: Packet) -> None:
        ctx.state.set(b"ztimed" + packet.sequence.to_bytes(8, "big"), b"\x01")


def echo_installation(_genesis: Genesis | None = None) -> Installation:
    """What the ledgers of the conformance suite have; a native one's host calls it by name."""
    from tieline.light_clients.attestations.client import AttestationsClient
    from tieline.light_clients.evm.client import EvmSealedClient
    from tieline.light_clients.fabric.client import FabricBlockClient
    from tieline.light_clients.tendermint.client import TendermintClient

    return Installation(
        light_clients=(
            TendermintClient(),
            EvmSealedClient(),
            FabricBlockClient(),
            AttestationsClient(),
        ),
        applications=(
            EchoApplication(),
            EchoApplication(PORT, version=VERSION, encoding=ENCODING),
        ),
    )


@dataclass
class Ledger:
    """Produces blocks of signed transactions on one Application."""

    names: Sequence[str] = ("cell", "relayer", "ann", "bob")
    installation: Installation = field(
        default_factory=lambda: Installation(
            light_clients=(FakeLightClient(),),
            applications=(EchoApplication(), EchoApplication("private", allows_plain_send=False)),
        )
    )
    now_s: int = START_S
    tree: StateTree = field(default_factory=HashChain)
    record_access: bool = False
    parameters: Parameters = field(default_factory=Parameters)

    def __post_init__(self) -> None:
        balances = tuple(sorted((key(name).cosmos_account, 10**12) for name in self.names))
        founders = tuple(sorted(key(f"founder {n}").address for n in range(3)))
        self.genesis = Genesis(
            chain_id=CHAIN_ID,
            network_id=b"\xee" * 32,
            cell_address=key("cell").address,
            founding_cells=founders,
            balances=balances,
            parameters=self.parameters,
        )
        self.application = Application(
            self.genesis,
            tree=self.tree,
            installation=self.installation,
            record_access=self.record_access,
        )
        self.sequences: dict[str, int] = {}
        self.block()

    def transaction(self, name: str, *messages: object, gas_limit: int = 50_000_000) -> bytes:
        """Sign messages as the next transaction of a name."""
        sequence = self.sequences.get(name, 0)
        self.sequences[name] = sequence + 1
        return build_transaction(messages, key(name), CHAIN_ID, 0, sequence, gas_limit=gas_limit)

    def block(self, *transactions: bytes, seconds: int = 5) -> tuple[TxResult, ...]:
        """Run and commit one block, *seconds* after the last."""
        self.now_s += seconds
        height = self.application.height + 1
        header_hash = sha256(height.to_bytes(8, "big"))
        block = BlockInput(height, self.now_s * 10**9, header_hash, transactions)
        result = self.application.finalize_block(block)
        self.application.commit()
        return result.tx_results

    def run(self, name: str, *messages: object) -> TxResult:
        """Run messages as one transaction in a block of its own."""
        return self.block(self.transaction(name, *messages))[0]

    def must(self, name: str, *messages: object) -> TxResult:
        """Run messages that have to succeed."""
        result = self.run(name, *messages)
        assert result.code == 0, result.log
        return result

    def open_client(self) -> None:
        """Create client 07-fake-0, pair it with 07-fake-9, prefix ("ibc", "")."""
        cell = key("cell").cosmos_account
        state = AnyMessage(STATE, (10).to_bytes(8, "big"))
        consensus = AnyMessage(CONSENSUS, (self.now_s * 10**9).to_bytes(8, "big"))
        self.must("cell", CreateClient(cell, state, consensus))
        self.must("cell", RegisterCounterparty(cell, LOCAL, REMOTE, (b"ibc", b"")))

    def header(self, height: int, time_s: int | None = None) -> AnyMessage:
        """A header of the other ledger, now unless said otherwise."""
        return header(height, self.now_s if time_s is None else time_s)


def pay(sender: str, recipient: str, amount: int) -> MsgSend:
    """A payment between two names."""
    return MsgSend(key(sender).cosmos_account, key(recipient).cosmos_account, amount)
