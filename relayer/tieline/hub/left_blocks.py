"""What a relayer remembers of blocks that were acted on and that their ledger has left since."""

from __future__ import annotations

from typing import Final

from tieline.interfaces.errors import Reorganised
from tieline.interfaces.journal import JournalStore
from tieline.relay.view import RelayView

READ_AGAIN_BLOCKS: Final = 16
"""So many blocks after a re-organisation its transactions have come back, if they do."""


class LeftBlocks:
    """Of all ledgers of one relayer, until its process ends."""

    def __init__(self, journal: JournalStore) -> None:
        """Take the journal whose heights to resume from must not lie above what is gone."""
        self._journal = journal
        self._stands: dict[str, int] = {}
        """By ledger: the last block that still stands, until all was read from there."""
        self._left_heights: dict[str, int] = {}
        """By ledger: the last block of a branch that was shown and left."""
        self._read_again_at: dict[str, int] = {}
        """By ledger: the height at which what the branch had is in blocks again, or lost."""

    def note(self, error: Reorganised) -> None:
        """Blocks are gone. It is said once, so this neither waits nor fails."""
        ledger_id, left = error.ledger_id, error.height + error.depth
        self._stands[ledger_id] = min(self._stands.get(ledger_id, error.height), error.height)
        self._left_heights[ledger_id] = max(self._left_heights.get(ledger_id, 0), left)
        self._read_again_at[ledger_id] = self._left_heights[ledger_id] + READ_AGAIN_BLOCKS

    def resume_heights(self) -> dict[str, int]:
        """
        Return and save from where the ledgers are read: from before what is gone.

        Raises:
            Unavailable: The journal does not answer.
        """
        saved = dict(self._journal.resume_heights())
        lowered = {one: min(height, self._stands.get(one, height)) for one, height in saved.items()}
        if lowered != saved:
            self._journal.save_resume_heights(lowered)
        return lowered

    def apply(self, view: RelayView) -> None:
        """All was read again into *view*: it proves nothing under a header of those branches."""
        self._stands.clear()
        for ledger_id, height in self._left_heights.items():
            view.ledgers[ledger_id].left_height = height

    def take_settled(self, view: RelayView) -> bool:
        """
        Return once whether a ledger that left blocks has gone on so far that its stores are to be
        read again: a packet that was not there after it left them may have been sent once more.
        """
        settled = [
            ledger_id
            for ledger_id, height in self._read_again_at.items()
            if view.ledgers[ledger_id].height >= height
        ]
        for ledger_id in settled:
            del self._read_again_at[ledger_id]
        return bool(settled)
