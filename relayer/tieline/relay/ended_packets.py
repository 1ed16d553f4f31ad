"""
Packets that are over, without the packets: their sequences, which come nearly without gaps.

A ledger that is read late tells of packets whose end the other one has told already; they must not
begin anew.
"""

from __future__ import annotations


class EndedPackets:
    """The sequences of one client's packets that are over."""

    def __init__(self) -> None:
        self._first = 1
        self._last = 0
        self._beside: set[int] = set()

    def add(self, sequence: int) -> None:
        """Note that a packet is over."""
        if not self._last:
            self._first = self._last = sequence
        else:
            self._beside.add(sequence)
        while self._last + 1 in self._beside:
            self._last += 1
            self._beside.remove(self._last)
        while self._first - 1 in self._beside:
            self._first -= 1
            self._beside.remove(self._first)

    def __contains__(self, sequence: int) -> bool:
        return self._first <= sequence <= self._last or sequence in self._beside
