"""A table of wrong variants: a good move each, with one thing spoiled. Others fill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakes.twin.world import TwinWorld

Sent = tuple[str, list[Any]]
Script = Callable[[TwinWorld], tuple[str, list[Any]]]
"""World to the sender and the messages of the transaction that is judged."""


@dataclass(frozen=True)
class Spoiled:
    """A wrong variant."""

    name: str
    stage: str
    now: int
    script: Script
    is_told: bool = False
    """It takes effect, if only as a refusal that is written down (B1) or as evidence."""


SPOILED: list[Spoiled] = []


def spoiled(stage: str, now: int, *, is_told: bool = False) -> Callable[[Script], Script]:
    """Put a script in the table under its own name."""

    def keep(script: Script) -> Script:
        name = script.__name__.strip("_").replace("_", " ")
        SPOILED.append(Spoiled(name, stage, now, script, is_told))
        return script

    return keep


def spoil_each(
    stage: str,
    now: int,
    make: Callable[[TwinWorld, Any], tuple[str, list[Any]]],
    cases: dict[str, Any],
    *,
    is_told: bool = False,
) -> None:
    """Put one row a case in the table."""
    for name, case in cases.items():
        SPOILED.append(
            Spoiled(name, stage, now, lambda world, case=case: make(world, case), is_told)
        )


def cut(items: tuple[Any, ...], place: int = 0) -> tuple[Any, ...]:
    """All but one."""
    return items[:place] + items[place + 1 :]


def flip(data: bytes, place: int = 0) -> bytes:
    """One bit changed."""
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
