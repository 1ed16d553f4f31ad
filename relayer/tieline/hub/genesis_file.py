"""
A ledger's genesis as an operator writes it: JSON with any spacing and order, what has a default
left out. What the contract is given, and what is hashed, is the canonical spelling made of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, cast

from tieline.contract.genesis import Genesis, Parameters
from tieline.interfaces.errors import ConfigError
from tieline.swap.records import Role
from tieline.wire.bech32 import account_from_text
from tieline.wire.bounded_json import loads
from tieline.wire.errors import Malformed

EXAMPLE: Final = "docs/fabric.md has an example"
_ADDRESS_BYTES: Final = 20
_ID_BYTES: Final = 32
_NEEDED: Final = ("chain_id", "network_id", "cell_address", "founding_cells")


def read_genesis_file(path: Path, kind: str) -> Genesis:
    """
    Read a genesis.

    Args:
        path: JSON with the keys of ``Genesis``, or what its ``to_bytes`` wrote.
        kind: Of the ledger that it is for; what the file need not say, and may not contradict.

    Raises:
        ConfigError: It cannot be read, or a key of it is not what it must be; names the key.
    """
    read: dict[str, Any] = {"kind": kind}
    for key, value in _load(path).items():
        if key not in _READERS:
            known = f"write one of {', '.join(_READERS)}"
            raise ConfigError("unknown key", file=str(path), key=key, instead=known)
        try:
            read[key] = _READERS[key](value)
        except (ValueError, Malformed) as exc:
            raise ConfigError(str(exc), file=str(path), key=key, instead=EXAMPLE) from exc
    for key in _NEEDED:
        if key not in read:
            raise ConfigError("is missing", file=str(path), key=key, instead=EXAMPLE)
    if read["kind"] != kind:
        raise ConfigError(
            f"is {read['kind']!r}", file=str(path), key="kind", instead=f"write {kind!r}"
        )
    try:
        return Genesis(**read)
    except ValueError as exc:
        raise ConfigError(str(exc), file=str(path), instead=EXAMPLE) from exc


def _load(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        loads(text)  # refuses what is nested too deep to be read again
        content: object = json.loads(text, object_pairs_hook=_once_each)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError("cannot be read", file=str(path), instead="name a file") from exc
    except ValueError as exc:
        raise ConfigError(f"is not JSON: {exc}", file=str(path), instead=EXAMPLE) from exc
    if not isinstance(content, dict):
        raise ConfigError("holds no object", file=str(path), instead=EXAMPLE)
    return cast("dict[str, object]", content)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's content. Raises ValueError for a key that stands there twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"a key stands there twice: {', '.join(twice)}")
    return content


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")  # noqa: TRY004 -- a matter of content
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {value!r}")  # noqa: TRY004 -- likewise
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")  # noqa: TRY004 -- likewise
    return value


def _role(value: object) -> Role:
    known = ", ".join(f"{role.value} ({role.name.lower()})" for role in Role)
    if _whole(value) not in list(Role):
        raise ValueError(f"must be one of {known}, not {value!r}")
    return Role(_whole(value))


def _octets(value: object, length: int) -> bytes:
    try:
        found = bytes.fromhex(_text(value).removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != length:
        raise ValueError(f"must be {length} bytes in hex, {2 * length} digits, not {value!r}")
    return found


def _address(value: object) -> bytes:
    return _octets(value, _ADDRESS_BYTES)


def _id(value: object) -> bytes:
    return _octets(value, _ID_BYTES)


def _addresses(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of addresses, not {value!r}")  # noqa: TRY004 -- likewise
    return tuple(sorted(_address(one) for one in cast("list[object]", value)))


def _account(text: str) -> bytes:
    return account_from_text(text) if text.startswith("tieline1") else _address(text)


def _amount(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return _whole(value)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must be {what}, not {value!r}")  # noqa: TRY004 -- likewise
    return cast("dict[str, Any]", value)


def _amounts(value: object) -> tuple[tuple[bytes, int], ...]:
    amounts = _object(value, "accounts with nano-EUR")
    return tuple(sorted((_account(account), _amount(held)) for account, held in amounts.items()))


def _parameters(value: object) -> Parameters:
    named = _object(value, "parameters by name")
    known = [item.name for item in fields(Parameters)]
    strangers = sorted(set(named) - set(known))
    if strangers:
        raise ValueError(f"has no {', '.join(strangers)}; it has {', '.join(known)}")
    return Parameters(**named)


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "chain_id": _text,
    "network_id": _id,
    "cell_address": _address,
    "founding_cells": _addresses,
    "role": _role,
    "kind": _text,
    "host_id": _id,
    "balances": _amounts,
    "vaults": _amounts,
    "parameters": _parameters,
    "takes_plain_clients": _flag,
}
