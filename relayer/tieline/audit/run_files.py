"""
The files of a run that an audit reads: genesis, validators and blocks of every ledger, topology,
evidence, checksums. Journals, keys and reports are never opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tieline.interfaces.errors import ConfigError
from tieline.wire.checksums import CHECKSUMS_FILE, COVERED_FILES

TOPOLOGY_FILE = "topology.json"


@dataclass(frozen=True, slots=True)
class LedgerFiles:
    """
    What a ledger exports. ``validators`` and ``genesis`` are the roots of trust; an EVM ledger's
    validators are its sealers and its contracts.
    """

    chain_id: str
    genesis: bytes
    validators: bytes
    blocks: bytes
    index: bytes
    """App hashes by height, the ledger's own short cut; may be empty."""
    proofs: bytes
    """Of an EVM ledger: its last block sealed, and what its contracts held then."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of the run at *path*."""

    path: Path

    def ledger_ids(self) -> list[str]:
        """
        Return the chain ids that have a folder, ascending.

        Raises:
            ConfigError: There is none: this is not the folder of a run.
        """
        root = self.path / "ledgers"
        found = sorted(entry.name for entry in root.iterdir()) if root.is_dir() else []
        if not found:
            raise ConfigError(
                "no ledgers there", file=str(root), instead="name the folder of a run"
            )
        return found

    def ledger(self, chain_id: str) -> LedgerFiles:
        """Return a ledger's files; what is missing is empty."""
        folder = self.path / "ledgers" / chain_id
        names = ("genesis.json", "validators.bin", "blocks.bin", "blocks.idx", "proofs.bin")
        return LedgerFiles(chain_id, *(_read(folder / name) for name in names))

    def topology(self) -> bytes:
        """Return the topology's bytes, empty if missing."""
        return _read(self.path / TOPOLOGY_FILE)

    def slots(self) -> list[int]:
        """Return the starts of the slots with evidence, ascending, unix seconds."""
        return sorted(
            int(entry.stem)
            for entry in (self.path / "evidence").glob("*.json")
            if entry.stem.isdecimal()
        )

    def evidence(self, slot_start: int) -> bytes:
        """Return the bytes of a slot's evidence, empty if missing."""
        return _read(self.path / "evidence" / f"{slot_start}.json")

    def checksums(self) -> bytes:
        """Return the list of checksums, empty if the run wrote none."""
        return _read(self.path / CHECKSUMS_FILE)

    def covered(self) -> list[str]:
        """Return the files whose bytes a checksum must cover, ascending, as it names them."""
        return sorted(
            entry.relative_to(self.path).as_posix()
            for pattern in COVERED_FILES
            for entry in self.path.glob(pattern)
            if entry.is_file()
        )

    def read(self, name: str) -> bytes:
        """Return the bytes of a file by its name below the run folder, empty if missing."""
        return _read(self.path / name)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
