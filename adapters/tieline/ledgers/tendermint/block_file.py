"""
Blocks on disk: ``blocks.bin`` holds whole blocks with their commits, ``blocks.idx`` where each
begins and what the state's root was after it.

Written before a block is executed or told to anyone, so what was told survives the death of this
process (and, where ``is_synced``, of the machine). A torn tail, the mark of a kill in mid-write, is
cut off.
"""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct

from tieline.interfaces.errors import ConfigError
from tieline.wire.blocks import StoredBlock, encode_frame, split_frames
from tieline.wire.errors import Malformed

BLOCKS_FILE = "blocks.bin"

_ENTRY = Struct(">QQ32s")
"""Height, offset in ``blocks.bin``, app hash after the block."""


class BlockFile:
    """The blocks of one ledger."""

    def __init__(
        self, folder: Path, genesis: bytes, validators: bytes, *, is_synced: bool = False
    ) -> None:
        """
        Open or begin a ledger's files in *folder*.

        Args:
            folder: Made if it is not there.
            genesis: Canonical genesis; kept beside the blocks for whoever checks them.
            validators: The validator set's bytes; likewise.
            is_synced: Wait for the disk at every block, about 2 ms.

        Raises:
            ConfigError: The folder belongs to another ledger.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _keep(folder / "genesis.json", genesis)
        _keep(folder / "validators.bin", validators)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._blocks = os.open(folder / BLOCKS_FILE, flags, 0o644)
        self._index = os.open(folder / "blocks.idx", flags, 0o644)
        self._folder = folder
        self._is_synced = is_synced

    def read(self) -> tuple[tuple[StoredBlock, ...], dict[int, bytes]]:
        """
        Return all whole blocks, and app hashes by height as far as they were written.

        Raises:
            ConfigError: The file is damaged, not merely cut short.
        """
        data = (self._folder / BLOCKS_FILE).read_bytes()
        payloads, used = split_frames(data)
        if used != len(data):
            os.ftruncate(self._blocks, used)
        try:
            blocks = tuple(map(StoredBlock.decode, payloads))
        except Malformed as exc:
            raise ConfigError(f"damaged blocks in {self._folder}: {exc}; restore a copy") from exc
        index = (self._folder / "blocks.idx").read_bytes()
        whole = min(len(index) // _ENTRY.size, len(blocks))
        os.ftruncate(self._index, whole * _ENTRY.size)
        entries = _ENTRY.iter_unpack(index[: whole * _ENTRY.size])
        return blocks, {height: app_hash for height, _, app_hash in entries}

    def append(self, stored: StoredBlock) -> int:
        """Write a block; return where it begins."""
        offset = os.fstat(self._blocks).st_size
        _write_all(self._blocks, encode_frame(stored.encode()))
        if self._is_synced:
            os.fdatasync(self._blocks)
        return offset

    def note(self, height: int, offset: int, app_hash: bytes) -> None:
        """Add a line to the index; it is only a check and a short cut, so it is not synced."""
        _write_all(self._index, _ENTRY.pack(height, offset, app_hash))

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._blocks)
        os.close(self._index)


def _keep(path: Path, content: bytes) -> None:
    """Write a file once; later it must still say the same."""
    if not path.exists():
        # Beside first: half a file would belong to nobody after a crash.
        beside = path.with_suffix(".new")
        beside.write_bytes(content)
        beside.replace(path)
    elif path.read_bytes() != content:
        raise ConfigError(f"{path} belongs to another ledger; choose an empty folder")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
