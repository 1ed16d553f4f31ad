"""
Blocks on disk: ``blocks.bin`` holds whole committed blocks, written before they are told to anyone;
beside it the ledger's genesis, for whoever checks them. A torn tail, the mark of a kill, is cut
off; damage anywhere else is not.
"""

from __future__ import annotations

import os
from pathlib import Path

from tieline.interfaces.errors import ConfigError
from tieline.wire.blocks import encode_frame, is_torn, split_frames

BLOCKS_FILE = "blocks.bin"
GENESIS_FILE = "genesis.json"


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
        path = folder / BLOCKS_FILE
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._is_synced = is_synced
        data = path.read_bytes()
        payloads, used = split_frames(data)
        if used != len(data):
            if not is_torn(data[used:]):
                os.close(self._file)
                raise ConfigError(
                    f"{path} is damaged behind block {len(payloads) - 1}, at byte {used}",
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
        return len(self._places)

    def __getitem__(self, number: int) -> bytes:
        """Return a block."""
        start, length = self._places[number]
        return os.pread(self._file, length, start)

    def append(self, block: bytes) -> None:
        """Write the next block."""
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

    def _keep_genesis(self, path: Path, genesis: bytes) -> None:
        if not path.exists():
            path.write_bytes(genesis)
        elif path.read_bytes() != genesis:
            raise ConfigError(
                f"{path} is another ledger's", instead="take an empty folder, or that ledger's"
            )
