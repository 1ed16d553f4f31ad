"""Opens the ledgers that an operator names, with the relayer's key on each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tieline.hub.key_files import read_keys
from tieline.hub.relay_config import LedgerSection, RelayConfig
from tieline.interfaces.errors import ConfigError
from tieline.interfaces.ledger import Ledger
from tieline.ledgers.tendermint.client_terms import ClientTerms
from tieline.ledgers.tendermint.endpoints import CometEndpoints
from tieline.ledgers.tendermint.rpc import CometRpc
from tieline.protocol.messages import AnyMessage
from tieline.protocol.time import NANOSECONDS_PER_SECOND
from tieline.relay.observations import RELAYED_KINDS
from tieline.wire.bech32 import account_to_text

if TYPE_CHECKING:
    from tieline.ledgers.ethereum.opening import EvmSource
    from tieline.ledgers.fabric.opening import FabricSource

LANE = "relayer"
"""The relayer's first account on each ledger; the others are named by their number."""

LINK_LANE = "link"
"""The account that makes clients; only it may register their counterparties."""

_HOUR_NS = 3600 * NANOSECONDS_PER_SECOND
_WEI_PER_GWEI = 10**9


class LinkableLedger(Ledger, Protocol):
    """A ledger that others can begin to trust, behind an RPC."""

    async def client_states(
        self, height: int, terms: ClientTerms | None = None
    ) -> tuple[AnyMessage, AnyMessage]:
        """Return client and consensus state for a client that starts to trust at *height*."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def open_ledgers(
    config: RelayConfig, folder: Path, *, is_linking: bool = False
) -> Mapping[str, LinkableLedger]:
    """
    Open all ledgers of the file; nothing is asked of them yet.

    Args:
        config: The operator's.
        folder: Where relative paths begin.
        is_linking: Whether clients are to be made, with ``LINK_LANE``.

    Raises:
        ConfigError: A key file or an address is not what it must be.
    """
    return {
        ledger_id: _open(ledger_id, section, folder, is_linking=is_linking)
        for ledger_id, section in config.ledgers.items()
    }


def _open(
    ledger_id: str, section: LedgerSection, folder: Path, *, is_linking: bool
) -> LinkableLedger:
    keys = read_keys(folder / section.key_file, section.lanes)
    lanes = dict(zip(lane_names(section), keys, strict=True))
    if is_linking:
        lanes[LINK_LANE] = read_keys(folder / (section.link_key_file or section.key_file))[0]
    # Each kind is imported by who uses it: what a ledger needs is loaded for that ledger only.
    if section.kind == "ethereum":
        from tieline.ledgers.ethereum.opening import EvmSource, open_ethereum  # noqa: PLC0415

        return open_ethereum(_evm_source(ledger_id, section, folder, EvmSource), lanes)
    if section.fabric is not None:
        from tieline.ledgers.fabric.opening import FabricSource, open_fabric  # noqa: PLC0415

        return open_fabric(fabric_source(ledger_id, section, folder, FabricSource), lanes)
    peers = CometEndpoints(ledger_id, [CometRpc.parse(address) for address in section.rpc])
    if section.kind == "cosmos":
        from tieline.ledgers.cosmos.gas import Fees  # noqa: PLC0415
        from tieline.ledgers.cosmos.ledger import CosmosLedger  # noqa: PLC0415

        stock = CosmosLedger(
            ledger_id,
            peers,
            account_prefix=section.account_prefix,
            fees=Fees(section.fee_denom, section.gas_price_nano),
            kinds=RELAYED_KINDS,
        )
        for name, key in lanes.items():
            stock.add_lane(name, key)
        return stock
    from tieline.ledgers.tendermint.native import NativeTendermint  # noqa: PLC0415

    ours = NativeTendermint(ledger_id, peers)
    for name, key in lanes.items():
        ours.add_lane(name, key)
    return ours


def lane_names(section: LedgerSection) -> tuple[str, ...]:
    """Return the names of the relayer's accounts on a ledger."""
    return (LANE, *(f"{LANE} {number}" for number in range(1, section.lanes)))


def client_terms(section: LedgerSection) -> ClientTerms:
    """Return how long others trust what they know of a ledger."""
    return ClientTerms(
        trusting_period_ns=section.trusting_period_h * _HOUR_NS,
        unbonding_period_ns=section.unbonding_period_h * _HOUR_NS,
    )


def _evm_source(
    ledger_id: str, section: LedgerSection, folder: Path, make: type[EvmSource]
) -> EvmSource:
    return make(
        ledger_id=ledger_id,
        rpc=section.rpc,
        genesis_file=folder / section.genesis_file,
        deployment_file=folder / section.deployment_file,
        journal_file=folder / (section.journal_file or f"{ledger_id}.evm.db"),
        chain_id=section.chain_id,
        confirmations=section.confirmations,
        finality=section.finality,
        priority_fee_wei=round(section.priority_fee_gwei * _WEI_PER_GWEI),
        max_fee_wei=round(section.max_fee_gwei * _WEI_PER_GWEI),
    )


def fabric_source(
    ledger_id: str, section: LedgerSection, folder: Path, make: type[FabricSource]
) -> FabricSource:
    """Return where a channel is, of a section of kind fabric; paths begin at *folder*."""
    carrier = section.fabric
    assert carrier is not None
    shown = (carrier.tls_certificate_file, carrier.tls_key_file)
    return make(
        fabric_channel=ledger_id,
        peers=section.rpc,
        wallet=folder / carrier.wallet,
        identity=carrier.identity,
        passphrase_variable=carrier.passphrase_variable,
        tls_roots_file=folder / carrier.tls_roots_file,
        tls_shown_files=(folder / shown[0], folder / shown[1]) if all(shown) else None,
        trusting_period_s=section.trusting_period_h * 3600,
        history_file=folder / (carrier.history_file or f"{ledger_id}.fabric.db"),
    )


_ATTESTED_KINDS = frozenset({"ethereum", "fabric"})
"""Our contracts believe ledgers of these kinds only by attestations, alone or beside proofs."""


def refuse_unattested(config: RelayConfig) -> None:
    """
    Refuse paths that this program cannot serve: clients of some kinds take attestations.

    Raises:
        ConfigError: A path has a ledger of kind ethereum or fabric.
    """
    for number, path in enumerate(config.paths):
        for ledger_id in path.between:
            if config.ledgers[ledger_id].kind in _ATTESTED_KINDS:
                raise ConfigError(
                    f"packets of {ledger_id} are proved by attestations of cells, which this "
                    "relayer does not ask for",
                    key=f"paths.{number}",
                    instead="let the hub of its microgrid carry them; `relay check` looks at it",
                )


def account_name(section: LedgerSection, account: bytes) -> str:
    """Return an account as its ledger writes it."""
    if section.kind == "ethereum":
        return f"0x{account.hex()}"
    if section.kind == "cosmos":
        return account_to_text(account, section.account_prefix)
    return account_to_text(account)
