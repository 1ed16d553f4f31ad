"""
JSON of strangers, nested no deeper than a bound. How deep Python's parser gets depends on the stack
below it, so two hosts could judge one text differently, or end: libraries of Ethereum raise the
limit of recursion so far that a deep text ends the process instead of raising RecursionError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

DEPTH_MAX: Final = 128
"""Brackets that may be open at once; what is read here has two or three."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def loads(
    text: str,
    depth_max: int = DEPTH_MAX,
    object_hook: Callable[[dict[str, Any]], object] | None = None,
) -> Any:
    """
    Return what *text* says.

    Args:
        text: JSON.
        depth_max: Brackets that may be open at once.
        object_hook: As ``json.loads`` takes it.

    Raises:
        ValueError: No JSON, or nested deeper than *depth_max*, or than the parser gets where the
            limit of recursion was left as it is.
    """
    if text.count("[") + text.count("{") > depth_max and _depth(text) > depth_max:
        raise ValueError(f"nested deeper than {depth_max}")
    try:
        return json.loads(text, object_hook=object_hook)
    except RecursionError as exc:
        raise ValueError(f"nested too deep: {exc}") from exc


def _depth(text: str) -> int:
    """Return the most brackets that are open at once, those in strings left out."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
