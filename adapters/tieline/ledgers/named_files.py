"""Files that an operator names in a configuration."""

from __future__ import annotations

from pathlib import Path

from tieline.interfaces.errors import ConfigError


def read_named(path: Path, what: str, instead: str) -> bytes:
    """
    Return a file's bytes.

    Args:
        path: As the operator wrote it.
        what: The file's purpose, for the message.
        instead: What to name.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"the {what} cannot be read: {exc.strerror}", file=str(path), instead=instead
        ) from exc
