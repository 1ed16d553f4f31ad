"""The one place that knows every application and light client of a microgrid's ledger."""

from __future__ import annotations

from tieline.contract.energy_trade import EnergyTradeApplication
from tieline.contract.genesis import Genesis
from tieline.contract.installation import Installation
from tieline.contract.trade_module import TRADE_HANDLERS, write_vaults
from tieline.contract.transfer import TransferApplication
from tieline.light_clients.attestations.client import AttestationsClient
from tieline.light_clients.evm.client import EvmSealedClient
from tieline.light_clients.evm.verifier import verify_header_once as verify_sealed_header_once
from tieline.light_clients.fabric.client import FabricBlockClient
from tieline.light_clients.fabric.remembering import find_written_once
from tieline.light_clients.fabric.remembering import verify_header_once as verify_fabric_header_once
from tieline.light_clients.paired import PairedClient
from tieline.light_clients.plain_or_paired import PlainOrPaired
from tieline.light_clients.tendermint.client import TendermintClient
from tieline.light_clients.tendermint.verifier import verify_header_once
from tieline.protocol.client import LightClient
from tieline.wire.typed_data import domain_separator


def microgrid_installation(light_clients: tuple[LightClient, ...] = ()) -> Installation:
    """Return what every microgrid's ledger runs, over the light clients it is given."""
    return Installation(
        light_clients=light_clients,
        applications=(EnergyTradeApplication(), TransferApplication()),
        handlers=TRADE_HANDLERS,
        genesis_writers=(write_vaults,),
    )


def microgrid_light_clients(genesis: Genesis) -> tuple[LightClient, ...]:
    """
    Return the rules by which a microgrid's ledger believes others, in the order they are asked.

    A CometBFT, EVM or Fabric ledger is believed only by its headers *and* its attestors; of
    CometBFT ledgers the genesis may also take clients without. ``attestations`` alone is for
    ledgers that have nothing else to show.
    Only the utility cell can create a client.
    """
    native = TendermintClient(verify_header_once)
    paired = _paired(native, genesis)
    tendermint = PlainOrPaired(native, paired) if genesis.takes_plain_clients else paired
    evm = _paired(EvmSealedClient(verify_sealed_header_once), genesis)
    fabric = _paired(FabricBlockClient(verify_fabric_header_once, find_written_once), genesis)
    return (tendermint, evm, fabric, AttestationsClient())


def _paired(native: LightClient, genesis: Genesis) -> PairedClient:
    return PairedClient(
        native, domain=domain_separator(genesis.network_id), own_cell=genesis.cell_address
    )
