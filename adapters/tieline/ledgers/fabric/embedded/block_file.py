"""
Blocks on disk: ``blocks.bin`` holds whole committed blocks from number 1 on, written before they
are told to anyone; beside it the roots of trust, for whoever checks them: the ledger's genesis, and
block 0 bare of metadata. A torn tail, the mark of a kill, is cut off; damage anywhere else is not.
"""

from __future__ import annotations

import os
from pathlib import Path

from tieline.interfaces.errors import ConfigError
from tieline.wire.blocks import encode_frame, is_torn, split_frames

BLOCKS_FILE = "blocks.bin"
GENESIS_FILE = "genesis.json"
FIRST_FILE = "validators.bin"
"""Block 0, which names who orders and endorses."""


class FabricBlockFile:
    """Implements ``kept_blocks.KeptBlocks``."""

    def __init__(self, folder: Path, genesis: bytes, *, is_synced: bool = False) -> None:
        """
        Open or begin a ledger's files in *folder*.

        Args:
            folder: Made if it is not there.
            genesis: Canonical genesis of the contract.
            is_synced: Wait for the disk at every block.

        Raises:
            ConfigError: The folder belongs to another ledger, or its blocks are damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._keep_genesis(folder / GENESIS_FILE, genesis)
        self._first_path = folder / FIRST_FILE
        self._first = self._first_path.read_bytes() if self._first_path.exists() else b""
        path = folder / BLOCKS_FILE
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._is_synced = is_synced
        data = path.read_bytes()
        payloads, used = split_frames(data)
        if used != len(data):
            if not is_torn(data[used:]):
                os.close(self._file)
                raise ConfigError(
                    f"{path} is damaged behind block {len(payloads)}, at byte {used}",
                    instead="restore a copy",
                )
            os.ftruncate(self._file, used)
        self._places: list[tuple[int, int]] = []
        """Where each block begins, and how long it is."""
        self._end = 0
        for payload in payloads:
            self._note(len(encode_frame(payload)), len(payload))

    def __len__(self) -> int:
        """Return how many blocks there are."""
        return len(self._places) + bool(self._first)

    def __getitem__(self, number: int) -> bytes:
        """Return a block."""
        if not number:
            return self._first
        start, length = self._places[number - 1]
        return os.pread(self._file, length, start)

    def append(self, block: bytes) -> None:
        """Write the next block."""
        if not self._first:
            self._keep_first(block)
            return
        frame = data = encode_frame(block)
        while data:
            data = data[os.write(self._file, data) :]
        if self._is_synced:
            os.fdatasync(self._file)
        self._note(len(frame), len(block))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _note(self, frame: int, length: int) -> None:
        self._end += frame
        self._places.append((self._end - length, length))

    def _keep_first(self, block: bytes) -> None:
        _write_whole(self._first_path, block)
        self._first = block

    def _keep_genesis(self, path: Path, genesis: bytes) -> None:
        if not path.exists():
            _write_whole(path, genesis)
        elif path.read_bytes() != genesis:
            raise ConfigError(
                f"{path} is another ledger's", instead="take an empty folder, or that ledger's"
            )


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a kill leaves all of it or nothing."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
