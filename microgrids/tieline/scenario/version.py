"""Which tieline made a run."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def tieline_version() -> str:
    """Return the installed version; a bare checkout has none."""
    try:
        return version("tieline")
    except PackageNotFoundError:
        return "source"
