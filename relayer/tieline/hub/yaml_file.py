"""
YAML as operators write it: what cannot be read is said with its line and key, and a key that stands
twice is refused instead of dropped.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tieline.interfaces.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Keys and places in lists, from the top."""

DEPTH_MAX = 64
"""Blocks inside one another; what is read here has five."""

_UNMADE = (ValueError, LookupError, AttributeError, TypeError)
"""What PyYAML raises when a text is not what its tag says, such as a day that does not exist."""


class _TooDeepError(Exception):
    pass


class _Loader(yaml.SafeLoader):
    """Stops at a depth of its own: how deep Python gets depends on what else is loaded."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Make the next node; as the class above, no deeper than ``DEPTH_MAX``."""
        if self._depth > DEPTH_MAX:
            raise _TooDeepError
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: dict[str, yaml.Node]) -> yaml.ScalarNode:
        """Make a scalar; an escape of half a character is none, and could not be written again."""
        node = super().compose_scalar_node(anchor)
        try:
            str(node.value).encode()
        except UnicodeEncodeError:
            raise yaml.MarkedYAMLError(
                problem="half of a surrogate pair is no character", problem_mark=node.start_mark
            ) from None
        return node


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file's content, and where each of its keys stands."""

    content: object
    """None: the file says nothing."""
    lines: Mapping[KeyPath, int]


def read_yaml(path: Path, instead: str) -> YamlFile:
    """
    Read a file.

    Args:
        path: Of one YAML document, UTF-8.
        instead: What to name if it cannot be read.

    Raises:
        ConfigError: It cannot be read, is not YAML, or has a key twice; with line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:  # a name with a NUL, or no UTF-8
        raise ConfigError(f"cannot be read: {exc}", file=str(path), instead=instead) from exc
    try:
        return _parse(path, text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = str(path) if mark is None else f"{path}:{mark.line + 1}"
        problem = getattr(exc, "problem", None) or str(exc).partition("\n")[0]
        raise ConfigError(
            f"is not YAML: {problem}", file=place, instead="check the indentation"
        ) from exc
    except _TooDeepError as exc:
        raise ConfigError(
            "is nested too deep, or holds itself", file=str(path), instead="write it flat"
        ) from exc


def render_path(path: KeyPath) -> str:
    """Write a key's path as a reader types it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _parse(path: Path, text: str) -> YamlFile:
    loader = _Loader(text)
    root = loader.get_single_node()
    if root is None:
        return YamlFile(None, {})
    lines: dict[KeyPath, int] = {}
    for key, node, is_repeated in _walk(root, ()):
        line = node.start_mark.line + 1
        if is_repeated:
            raise ConfigError(
                f"written twice, first on line {lines[key]}",
                file=f"{path}:{line}",
                key=render_path(key),
                instead="keep one of them",
            )
        lines[key] = line
    try:
        content: object = loader.construct_document(root)
    except _UNMADE as exc:
        raise _unmade(path, root, exc) from exc
    return YamlFile(content, lines)


def _unmade(path: Path, root: yaml.Node, cause: Exception) -> ConfigError:
    """Find the value of which nothing can be made."""
    place, key, shown = str(path), "", ""
    for at, value in _values(root, ()):
        try:
            yaml.SafeLoader("").construct_object(value, deep=True)
        except (yaml.YAMLError, *_UNMADE):
            place, key = f"{path}:{value.start_mark.line + 1}", render_path(at)
            shown = f": {str(value.value)[:40]!r}"
            break
    return ConfigError(
        f"no value{shown} ({cause})",
        file=place,
        key=key,
        instead="mend it; what is text stands between quotes",
    )


def _walk(tree: yaml.Node, at: KeyPath) -> Iterator[tuple[KeyPath, yaml.Node, bool]]:
    """Yield the path, node and repetition of each key and entry below *tree*."""
    if len(at) > DEPTH_MAX:
        raise _TooDeepError
    if isinstance(tree, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in tree.value:
            name = str(key.value)
            yield (*at, name), key, name in seen
            seen.add(name)
            yield from _walk(value, (*at, name))
    elif isinstance(tree, yaml.SequenceNode):
        for index, value in enumerate(tree.value):
            yield (*at, index), value, False
            yield from _walk(value, (*at, index))


def _values(tree: yaml.Node, at: KeyPath) -> Iterator[tuple[KeyPath, yaml.ScalarNode]]:
    """Yield each scalar below *tree* with its path; keys before their values."""
    if isinstance(tree, yaml.ScalarNode):
        yield at, tree
    elif isinstance(tree, yaml.MappingNode):
        for key, value in tree.value:
            here = (*at, str(key.value))
            yield from _values(key, here)
            yield from _values(value, here)
    elif isinstance(tree, yaml.SequenceNode):
        for index, value in enumerate(tree.value):
            yield from _values(value, (*at, index))
