"""What is installed on a ledger: handlers, applications, light clients, what genesis writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tieline.contract import bank, clients, registry
from tieline.contract.application import IbcApplication
from tieline.contract.dispatch import Dispatch, Handler
from tieline.contract.genesis import Genesis
from tieline.contract.router import Router
from tieline.contract.store import KeyValues
from tieline.protocol.client import LightClient
from tieline.protocol.messages import CreateClient, RegisterCounterparty, UpdateClient
from tieline.swap.messages import MsgPostCellSet, MsgPostClearing, MsgSend

GenesisWriter = Callable[[KeyValues, Genesis], None]


@dataclass(frozen=True, slots=True)
class Installation:
    """What stands on top of accounts, registry and IBC core."""

    light_clients: tuple[LightClient, ...] = ()
    applications: tuple[IbcApplication, ...] = ()
    handlers: Mapping[type, Handler] = field(default_factory=dict[type, Handler])
    genesis_writers: tuple[GenesisWriter, ...] = ()

    def dispatch(self) -> Dispatch:
        """Return the table of all messages that this ledger takes."""
        table = Dispatch()
        table.register(MsgSend, bank.handle_send)
        table.register(MsgPostCellSet, registry.post_cell_set)
        table.register(MsgPostClearing, registry.post_clearing)
        table.register(CreateClient, clients.handle_create_client)
        table.register(RegisterCounterparty, clients.handle_register_counterparty)
        table.register(UpdateClient, clients.handle_update_client)
        Router(self.applications).register(table)
        for message_type, handler in self.handlers.items():
            table.register(message_type, handler)
        return table

    def rules_by_type(self) -> dict[str, LightClient]:
        """Return the light clients by their type."""
        table = {rules.client_type: rules for rules in self.light_clients}
        assert len(table) == len(self.light_clients), "one light client a type"
        return table
