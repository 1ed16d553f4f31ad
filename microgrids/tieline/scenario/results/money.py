"""
Money by account: what genesis gave and what is there at the end, ledger by ledger, and what the
settlement moves besides. Each ledger's changes sum to zero, and so do the settlement's.
"""

from __future__ import annotations

from collections.abc import Iterable

from tieline.contract.vaults import imbalance_account
from tieline.market.accounts import AccountKind, NamedAccount, Posting, Reason, balances
from tieline.scenario.results.history import LedgerHistory
from tieline.scenario.results.material import Material
from tieline.scenario.run_records import AccountRow

SETTLEMENT = "settlement"
"""Stands for a ledger in rows of money that no ledger moves: net claims of the final settlement."""
HELD = "held in orders and locks"
ENERGY_CELLS = "energy cells"


def account_rows(material: Material) -> list[AccountRow]:
    """Return all accounts of all ledgers, then what the settlement adds."""
    rows: list[AccountRow] = []
    for history in material.histories.values():
        rows += _ledger_rows(material, history)
    return rows + _settlement_rows(material)


def _ledger_rows(material: Material, history: LedgerHistory) -> list[AccountRow]:
    opening: dict[bytes, int] = {}
    for account, amount in (*history.genesis.balances, *history.genesis.vaults):
        opening[account] = opening.get(account, 0) + amount
    closing = dict(history.pay)
    for account, amount in history.vaults.items():
        closing[account] = closing.get(account, 0) + amount
    rows = [
        AccountRow(
            chain_id=history.chain_id,
            account=account.hex(),
            label=_label(material, history, account),
            opening_nano_eur=opening.get(account, 0),
            closing_nano_eur=closing.get(account, 0),
        )
        for account in sorted(opening.keys() | closing.keys())
    ]
    rows.sort(key=lambda row: (_ORDER.get(row.label, len(_ORDER)), row.account))
    rows.append(
        AccountRow(
            chain_id=history.chain_id,
            account=HELD,
            label=HELD,
            opening_nano_eur=0,
            closing_nano_eur=history.books.escrows + history.books.locks,
        )
    )
    return rows


_ORDER = {ENERGY_CELLS: 0, "grid operator": 1, "connector": 2, "imbalance pool": 3}


def _label(material: Material, history: LedgerHistory, account: bytes) -> str:
    """Return what an account is for."""
    if account == imbalance_account(history.chain_tag):
        return "imbalance pool"
    name = material.names.account_of.get((history.chain_tag, account), "")
    config = material.world.config
    if name == config.operator.name:
        return "grid operator"
    if name.startswith("relayer"):
        return "relayers"
    if name.startswith("cell-"):
        return "utility cells"
    return name if name == "connector" else ENERGY_CELLS if name else "others"


def _settlement_rows(material: Material) -> list[AccountRow]:
    """Return the net of what settlement moves beside the ledgers, by account."""
    net = balances(beside_ledgers(material))
    return [
        AccountRow(
            chain_id=SETTLEMENT,
            account=str(account),
            label=_settlement_label(material, account),
            opening_nano_eur=0,
            closing_nano_eur=amount,
        )
        for account, amount in net.items()
        if amount
    ]


def beside_ledgers(material: Material) -> Iterable[Posting]:
    """Yield the postings that no lock has moved already."""
    return (
        row
        for statement in material.statements.values()
        for row in statement.postings
        if row.reason is not Reason.ENERGY
    )


def _settlement_label(material: Material, account: NamedAccount) -> str:
    if account.kind is AccountKind.GRID:
        return "grid operator"
    if account.kind is not AccountKind.PARTICIPANT:
        return str(account.kind)
    tag, _, name = account.name.partition("/")
    if name == "unmetered":
        zone = material.names.zone_of_tag.get(bytes.fromhex(tag), tag)
        return f"loads without a meter in {zone}"
    return ENERGY_CELLS
