"""When a block of an Ethereum ledger may be acted on: blocks on top of it, or a node's tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tieline.interfaces.errors import ConfigError

TAGS: Final = ("finalized", "safe")
CONFIRMATIONS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """
    Either a number of confirmations or a tag.

    Raises:
        ConfigError: Both, neither, or one that makes no sense.
    """

    confirmations: int | None = None
    """
    Blocks on top. 0: the head itself, for chains whose consensus makes every block final (QBFT,
    IBFT 2.0), and for development chains that nobody takes blocks back from.
    """
    tag: str = ""
    """``finalized`` or ``safe``, as the node's consensus tells it."""

    def __post_init__(self) -> None:
        if (self.confirmations is None) == (not self.tag):
            raise ConfigError(
                "say when a block is final",
                instead="write confirmations: N, or finality: finalized",
            )
        if self.tag and self.tag not in TAGS:
            raise ConfigError(
                f"no finality tag: {self.tag!r}", instead=f"write {' or '.join(TAGS)}"
            )
        if self.confirmations is not None and not 0 <= self.confirmations <= CONFIRMATIONS_MAX:
            raise ConfigError(
                f"no number of confirmations: {self.confirmations}",
                instead=f"write a number from 0 to {CONFIRMATIONS_MAX}",
            )

    def final_height(self, head: int, tagged: int | None) -> int:
        """
        Return the height of the last final block.

        Args:
            head: Height of the chain's last block.
            tagged: Of the block that the node tags; None if it tags none yet.
        """
        if self.confirmations is not None:
            return max(head - self.confirmations, 0)
        return min(tagged or 0, head)
