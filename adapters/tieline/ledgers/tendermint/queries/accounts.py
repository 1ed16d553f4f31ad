"""Accounts and balances, under the names of ``x/auth`` and ``x/bank``."""

from __future__ import annotations

from cosmpy.protos.cosmos.auth.v1beta1 import auth_pb2
from cosmpy.protos.cosmos.auth.v1beta1 import query_pb2 as auth_query_pb2
from cosmpy.protos.cosmos.bank.v1beta1 import bank_pb2
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_query_pb2
from cosmpy.protos.cosmos.base.v1beta1 import coin_pb2
from google.protobuf import any_pb2

from tieline.contract import accounts, vouchers
from tieline.contract.accounts import PAY_DENOM
from tieline.contract.auth import ACCOUNT_NUMBER
from tieline.contract.fees import FEE_COLLECTOR
from tieline.contract.keys import voucher_key, voucher_supply_key
from tieline.contract.limits import MEMO_BYTES_MAX, SIGNATURE_GAS, TX_BYTE_GAS
from tieline.contract.records import decode_amount
from tieline.contract.store import TIELINE
from tieline.contract.transfer_errors import TransferError
from tieline.ledgers.tendermint.queries.table import Table
from tieline.ledgers.tendermint.queries.view import (
    InvalidQuery,
    NotFound,
    ReadOnly,
    StateView,
    page_of,
    suffixes,
)
from tieline.wire.bech32 import ACCOUNT_PREFIX, account_from_text, account_to_text
from tieline.wire.errors import Malformed

ENERGY_DENOM = "wh"
"""KWH in its smallest unit, one watt-hour."""
_ACCOUNTS = b"a"
_ACCOUNT_BYTES = 20
_HASH_BYTES = 32
_VOUCHER_SUPPLIES = voucher_supply_key(b"", 0)[:1]

TABLE = Table()


def account_of(text: str) -> bytes:
    """Read an account. Raises InvalidQuery."""
    if not text:
        raise InvalidQuery("empty address string is not allowed")
    try:
        return account_from_text(text)
    except Malformed as exc:
        raise InvalidQuery(f"invalid address: {exc}") from exc


def _balances(view: StateView, account: bytes) -> list[coin_pb2.Coin]:
    """Return what an account holds, ascending by denomination; zeros are left out."""
    state = ReadOnly(view, TIELINE, b"")
    held = {
        PAY_DENOM: accounts.pay_balance(state, account),
        ENERGY_DENOM: accounts.kwh_balance(state, account),
    }
    return [
        coin_pb2.Coin(denom=denom, amount=str(amount))
        for denom, amount in sorted((held | _vouchers(view, account)).items())
        if amount
    ]


def _vouchers(view: StateView, account: bytes) -> dict[str, int]:
    """Return the tokens of other ledgers that an account holds; they are listed as of now."""
    if not view.is_latest:
        return {}
    prefix = voucher_key(account, b"")
    return {
        f"ibc/{voucher_hash.hex().upper()}": decode_amount(value)
        for voucher_hash, value in suffixes(view, TIELINE, prefix)
    }


def _balance(view: StateView, address: str, denom: str) -> coin_pb2.Coin:
    if not denom:
        raise InvalidQuery("empty denom is not allowed")
    state, account = ReadOnly(view, TIELINE, b""), account_of(address)
    if denom == ENERGY_DENOM:
        amount = accounts.kwh_balance(state, account)
    else:
        try:
            amount = vouchers.balance(state, account, vouchers.denom_of(state, denom))
        except TransferError:  # never seen here, so nobody holds any
            amount = 0
    return coin_pb2.Coin(denom=denom, amount=str(amount))


def _supply(view: StateView) -> dict[str, int]:
    """Return the PAY of genesis, since none is made or burned after it, and all vouchers."""
    genesis = view.application.genesis
    supply = {PAY_DENOM: sum(amount for _, amount in (*genesis.balances, *genesis.vaults))}
    for key, value in suffixes(view, TIELINE, _VOUCHER_SUPPLIES):
        name = f"ibc/{key[:_HASH_BYTES].hex().upper()}"
        supply[name] = supply.get(name, 0) + decode_amount(value)
    return supply


def _base_account(view: StateView, account: bytes) -> auth_pb2.BaseAccount:
    state = ReadOnly(view, TIELINE, b"")
    text = account_to_text(account)
    if not accounts.is_known(state, account):
        raise NotFound(f"account {text} not found")
    sequence = accounts.next_sequence(state, account)
    return auth_pb2.BaseAccount(address=text, account_number=ACCOUNT_NUMBER, sequence=sequence)


def _packed(account: auth_pb2.BaseAccount) -> any_pb2.Any:
    packed = any_pb2.Any(value=account.SerializeToString())
    packed.type_url = f"/{auth_pb2.BaseAccount.DESCRIPTOR.full_name}"
    return packed


def _metadata() -> list[bank_pb2.Metadata]:
    pay = bank_pb2.Metadata(
        description="PAY, a euro of this ledger's issuer, in nano-EUR",
        denom_units=[
            bank_pb2.DenomUnit(denom=PAY_DENOM, exponent=0),
            bank_pb2.DenomUnit(denom="eur", exponent=9),
        ],
        base=PAY_DENOM,
        display="eur",
        name="PAY",
        symbol="PAY",
    )
    energy = bank_pb2.Metadata(
        description="KWH, delivered energy, in watt-hours",
        denom_units=[
            bank_pb2.DenomUnit(denom=ENERGY_DENOM, exponent=0),
            bank_pb2.DenomUnit(denom="kwh", exponent=3),
        ],
        base=ENERGY_DENOM,
        display="kwh",
        name="KWH",
        symbol="KWH",
    )
    return [pay, energy]


@TABLE.answers(auth_query_pb2.QueryAccountRequest, "cosmos.auth.v1beta1.Query/Account")
def _account(
    view: StateView, request: auth_query_pb2.QueryAccountRequest
) -> auth_query_pb2.QueryAccountResponse:
    found = _base_account(view, account_of(request.address))
    return auth_query_pb2.QueryAccountResponse(account=_packed(found))


@TABLE.answers(auth_query_pb2.QueryAccountInfoRequest, "cosmos.auth.v1beta1.Query/AccountInfo")
def _account_info(
    view: StateView, request: auth_query_pb2.QueryAccountInfoRequest
) -> auth_query_pb2.QueryAccountInfoResponse:
    found = _base_account(view, account_of(request.address))
    return auth_query_pb2.QueryAccountInfoResponse(info=found)


@TABLE.answers(auth_query_pb2.QueryAccountsRequest, "cosmos.auth.v1beta1.Query/Accounts")
def _accounts(
    view: StateView, request: auth_query_pb2.QueryAccountsRequest
) -> auth_query_pb2.QueryAccountsResponse:
    found = {key[:_ACCOUNT_BYTES] for key, _ in suffixes(view, TIELINE, _ACCOUNTS)}
    chosen, page = page_of(sorted(found), request.pagination)
    packed = [_packed(_base_account(view, account)) for account in chosen]
    return auth_query_pb2.QueryAccountsResponse(accounts=packed, pagination=page)


@TABLE.answers(auth_query_pb2.QueryParamsRequest, "cosmos.auth.v1beta1.Query/Params")
def _auth_params(
    _: StateView, __: auth_query_pb2.QueryParamsRequest
) -> auth_query_pb2.QueryParamsResponse:
    params = auth_pb2.Params(
        max_memo_characters=MEMO_BYTES_MAX,
        tx_sig_limit=1,
        tx_size_cost_per_byte=TX_BYTE_GAS,
        sig_verify_cost_secp256k1=SIGNATURE_GAS,
    )
    return auth_query_pb2.QueryParamsResponse(params=params)


@TABLE.answers(
    auth_query_pb2.QueryModuleAccountByNameRequest,
    "cosmos.auth.v1beta1.Query/ModuleAccountByName",
)
def _module_account(
    _: StateView, request: auth_query_pb2.QueryModuleAccountByNameRequest
) -> auth_query_pb2.QueryModuleAccountByNameResponse:
    if request.name != "fee_collector":
        raise NotFound(f"account {request.name} not found")
    account = auth_pb2.ModuleAccount(
        base_account=auth_pb2.BaseAccount(address=account_to_text(FEE_COLLECTOR)),
        name=request.name,
    )
    packed = any_pb2.Any(value=account.SerializeToString())
    packed.type_url = f"/{auth_pb2.ModuleAccount.DESCRIPTOR.full_name}"
    return auth_query_pb2.QueryModuleAccountByNameResponse(account=packed)


@TABLE.answers(auth_query_pb2.Bech32PrefixRequest, "cosmos.auth.v1beta1.Query/Bech32Prefix")
def _bech32_prefix(
    _: StateView, __: auth_query_pb2.Bech32PrefixRequest
) -> auth_query_pb2.Bech32PrefixResponse:
    return auth_query_pb2.Bech32PrefixResponse(bech32_prefix=ACCOUNT_PREFIX)


@TABLE.answers(bank_query_pb2.QueryBalanceRequest, "cosmos.bank.v1beta1.Query/Balance")
def _bank_balance(
    view: StateView, request: bank_query_pb2.QueryBalanceRequest
) -> bank_query_pb2.QueryBalanceResponse:
    found = _balance(view, request.address, request.denom)
    return bank_query_pb2.QueryBalanceResponse(balance=found)


@TABLE.answers(
    bank_query_pb2.QuerySpendableBalanceByDenomRequest,
    "cosmos.bank.v1beta1.Query/SpendableBalanceByDenom",
)
def _spendable_balance(
    view: StateView, request: bank_query_pb2.QuerySpendableBalanceByDenomRequest
) -> bank_query_pb2.QuerySpendableBalanceByDenomResponse:
    found = _balance(view, request.address, request.denom)
    return bank_query_pb2.QuerySpendableBalanceByDenomResponse(balance=found)


@TABLE.answers(bank_query_pb2.QueryAllBalancesRequest, "cosmos.bank.v1beta1.Query/AllBalances")
def _all_balances(
    view: StateView, request: bank_query_pb2.QueryAllBalancesRequest
) -> bank_query_pb2.QueryAllBalancesResponse:
    chosen, page = page_of(_balances(view, account_of(request.address)), request.pagination)
    return bank_query_pb2.QueryAllBalancesResponse(balances=chosen, pagination=page)


@TABLE.answers(
    bank_query_pb2.QuerySpendableBalancesRequest, "cosmos.bank.v1beta1.Query/SpendableBalances"
)
def _spendable_balances(
    view: StateView, request: bank_query_pb2.QuerySpendableBalancesRequest
) -> bank_query_pb2.QuerySpendableBalancesResponse:
    chosen, page = page_of(_balances(view, account_of(request.address)), request.pagination)
    return bank_query_pb2.QuerySpendableBalancesResponse(balances=chosen, pagination=page)


@TABLE.answers(bank_query_pb2.QueryTotalSupplyRequest, "cosmos.bank.v1beta1.Query/TotalSupply")
def _total_supply(
    view: StateView, request: bank_query_pb2.QueryTotalSupplyRequest
) -> bank_query_pb2.QueryTotalSupplyResponse:
    coins = [coin_pb2.Coin(denom=k, amount=str(v)) for k, v in sorted(_supply(view).items())]
    chosen, page = page_of(coins, request.pagination)
    return bank_query_pb2.QueryTotalSupplyResponse(supply=chosen, pagination=page)


@TABLE.answers(bank_query_pb2.QuerySupplyOfRequest, "cosmos.bank.v1beta1.Query/SupplyOf")
def _supply_of(
    view: StateView, request: bank_query_pb2.QuerySupplyOfRequest
) -> bank_query_pb2.QuerySupplyOfResponse:
    if not request.denom:
        raise InvalidQuery("empty denom is not allowed")
    amount = _supply(view).get(request.denom, 0)
    coin = coin_pb2.Coin(denom=request.denom, amount=str(amount))
    return bank_query_pb2.QuerySupplyOfResponse(amount=coin)


@TABLE.answers(bank_query_pb2.QueryParamsRequest, "cosmos.bank.v1beta1.Query/Params")
def _bank_params(
    _: StateView, __: bank_query_pb2.QueryParamsRequest
) -> bank_query_pb2.QueryParamsResponse:
    return bank_query_pb2.QueryParamsResponse(params=bank_pb2.Params(default_send_enabled=True))


@TABLE.answers(
    bank_query_pb2.QueryDenomsMetadataRequest, "cosmos.bank.v1beta1.Query/DenomsMetadata"
)
def _denoms_metadata(
    _: StateView, request: bank_query_pb2.QueryDenomsMetadataRequest
) -> bank_query_pb2.QueryDenomsMetadataResponse:
    chosen, page = page_of(_metadata(), request.pagination)
    return bank_query_pb2.QueryDenomsMetadataResponse(metadatas=chosen, pagination=page)


@TABLE.answers(bank_query_pb2.QueryDenomMetadataRequest, "cosmos.bank.v1beta1.Query/DenomMetadata")
def _denom_metadata(
    _: StateView, request: bank_query_pb2.QueryDenomMetadataRequest
) -> bank_query_pb2.QueryDenomMetadataResponse:
    for one in _metadata():
        if one.base == request.denom:
            return bank_query_pb2.QueryDenomMetadataResponse(metadata=one)
    raise NotFound(f"client metadata for denom {request.denom}")
