"""
What was believed once, for many clients in one process that are shown the same.

Questions are kept as digests: a proof holds a whole block, and a thousand of the longest would fill
the memory of a small computer. What was refused is judged each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Generic, TypeVar

from tieline.light_clients.fabric.knowledge import Knowledge
from tieline.light_clients.fabric.verifier import (
    Anchor,
    HeaderVerifier,
    HeldBlock,
    VerifiedHeader,
    WriteFinder,
    find_written,
    verify_header,
)
from tieline.wire.hashes import sha256

_HEADERS_REMEMBERED: Final = 512
_PROOFS_REMEMBERED: Final = 1_024
_LENGTH_BYTES: Final = 8
_NO_KNOWLEDGE: Final = Knowledge("", "", (), ())

AnswerT = TypeVar("AnswerT")


class _Answers(Generic[AnswerT]):
    """The newest answers by the digest of their question; threads may share it."""

    def __init__(self, kept_max: int) -> None:
        self.hits_count = 0
        """Questions that were not asked anew."""
        self._kept_max = kept_max
        self._kept: OrderedDict[bytes, AnswerT] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def _known(self, question: bytes) -> AnswerT | None:
        answer = self._kept.get(question)
        if answer is not None:
            self.hits_count += 1
        return answer

    def _keep(self, question: bytes, answer: AnswerT) -> None:
        self._kept[question] = answer
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)


class VerifyOnce(_Answers[VerifiedHeader]):
    """A ``HeaderVerifier`` that remembers what it believed, never what it refused."""

    def __init__(self, verify: HeaderVerifier, kept_max: int = _HEADERS_REMEMBERED) -> None:
        """Ask *verify* what is not remembered; of answers the newest *kept_max* are."""
        super().__init__(kept_max)
        self._verify = verify

    def __call__(self, raw: bytes, anchor: Anchor) -> VerifiedHeader:
        """Return what ``verify`` returns. Raises as it does."""
        question = _digest(raw, *_parts_of(anchor))
        known = self._known(question)
        if known is None:
            found = self._verify(raw, anchor)
            is_new = found.knowledge != anchor.knowledge
            # Most bring nothing new: the asker's configurations are not kept for each of them.
            self._keep(question, found if is_new else replace(found, knowledge=_NO_KNOWLEDGE))
            return found
        return replace(known, knowledge=anchor.knowledge) if _is_bare(known) else known


class FindOnce(_Answers[bytes]):
    """A ``WriteFinder`` that remembers what it found, never what it refused."""

    def __init__(self, find: WriteFinder, kept_max: int = _PROOFS_REMEMBERED) -> None:
        """Ask *find* what is not remembered; of answers the newest *kept_max* are."""
        super().__init__(kept_max)
        self._find = find

    def __call__(self, raw: bytes, key: bytes, held: HeldBlock, anchor: Anchor) -> bytes:
        """Return what ``find`` returns. Raises as it does."""
        question = _digest(raw, key, *_parts_of_held(held), *_parts_of(anchor))
        found = self._known(question)
        if found is None:
            found = self._find(raw, key, held, anchor)
            self._keep(question, found)
        return found


def _is_bare(known: VerifiedHeader) -> bool:
    return known.knowledge is _NO_KNOWLEDGE


def _digest(*parts: bytes) -> bytes:
    """Return the hash of parts, each behind its length."""
    return sha256(b"".join(len(one).to_bytes(_LENGTH_BYTES) + one for one in parts))


def _parts_of_held(held: HeldBlock) -> Iterator[bytes]:
    yield held.block_hash
    for number in (held.number, held.time_s, held.endorsed_from_s):
        yield b"" if number is None else b"%d" % number


def _parts_of(anchor: Anchor) -> Iterator[bytes]:
    known = anchor.knowledge
    yield b"%d" % anchor.newest_s
    yield known.channel.encode()
    yield known.chaincode.encode()
    yield b"%d" % len(known.configs)
    for config in known.configs:
        yield b"%d" % config.number
        yield config.config
    for definition in known.definitions:
        yield definition.encode()


verify_header_once: Final = VerifyOnce(verify_header)
"""As ``verify_header``; for all clients of a process."""

find_written_once: Final = FindOnce(find_written)
"""As ``find_written``; for all clients of a process."""
