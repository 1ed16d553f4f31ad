"""
Blocks on disk: ``blocks.bin`` holds whole blocks, written before they are told to anyone; beside it
genesis and deployment, for whoever checks them. A torn tail, the mark of a kill, is cut off.
"""

from __future__ import annotations

import os
from pathlib import Path

from tieline.interfaces.errors import ConfigError
from tieline.wire.blocks import encode_frame, split_frames
from tieline.wire.errors import Malformed
from tieline.wire.evm.blocks import EvmBlock

BLOCKS_FILE = "blocks.bin"
DEPLOYMENT_FILE = "deployment.json"


class EvmBlockFile:
    """The blocks of one ledger."""

    def __init__(self, folder: Path, genesis: bytes, *, is_synced: bool = False) -> None:
        """
        Open or begin a ledger's files in *folder*.

        Args:
            folder: Made if it is not there.
            genesis: Canonical genesis.
            is_synced: Wait for the disk at every block.

        Raises:
            ConfigError: The folder belongs to another ledger.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.keep("genesis.json", genesis)
        self._blocks = os.open(folder / BLOCKS_FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._is_synced = is_synced

    def keep(self, name: str, content: bytes) -> None:
        """Write a file once; raise ConfigError if another content is there."""
        path = self.folder / name
        if not path.exists():
            self.replace(name, content)
        elif path.read_bytes() != content:
            raise ConfigError(
                f"{path} is another ledger's", instead="take an empty folder, or that ledger's"
            )

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, in place of what is there."""
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(content)
        fresh.replace(self.folder / name)

    def read(self) -> tuple[EvmBlock, ...]:
        """
        Return all whole blocks.

        Raises:
            ConfigError: The file is damaged, not merely cut short.
        """
        data = (self.folder / BLOCKS_FILE).read_bytes()
        _, used = split_frames(data)
        if used != len(data):
            os.ftruncate(self._blocks, used)
        return read_blocks(self.folder)

    def append(self, block: EvmBlock) -> None:
        """Write a block."""
        data = encode_frame(block.encode())
        while data:
            data = data[os.write(self._blocks, data) :]
        if self._is_synced:
            os.fdatasync(self._blocks)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._blocks)


def read_blocks(folder: Path) -> tuple[EvmBlock, ...]:
    """
    Return all whole blocks of a ledger's folder; a torn tail is left alone.

    Raises:
        ConfigError: A block is damaged.
    """
    payloads, _ = split_frames((folder / BLOCKS_FILE).read_bytes())
    try:
        return tuple(map(EvmBlock.decode, payloads))
    except Malformed as exc:
        raise ConfigError(f"damaged blocks in {folder}: {exc}; restore a copy") from exc
