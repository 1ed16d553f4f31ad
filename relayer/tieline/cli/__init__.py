"""
The command line, one file a noun.

Commands import what they need when they are called, so that ``tieline --help`` is quick.
"""

from __future__ import annotations

from tieline.cli.main import main

__all__ = ["main"]
