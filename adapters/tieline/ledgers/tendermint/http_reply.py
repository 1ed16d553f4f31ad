"""HTTP/1.1 as CometBFT's RPC answers it, without I/O: bytes in as they come, one reply out."""

from __future__ import annotations

from typing import Final

REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A longer reply is refused: no block and no proof is as long."""
_HEAD_BYTES_MAX: Final = 65_536
_LINE: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"


class BadReply(ValueError):
    """Bytes that are no HTTP reply, or one that is too long."""


class HttpReply:
    """One reply; feed it until it is whole."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._chunks: list[bytes] = []
        self._length: int | None = None
        self._is_chunked = False
        self._has_head = False
        self._bytes = 0
        self.is_whole = False
        self.keeps_open = True
        """Whether the connection may be used again."""

    @property
    def body(self) -> bytes:
        """What it says. Only when it is whole."""
        assert self.is_whole, "the reply is not whole"
        return b"".join(self._chunks)

    def feed(self, data: bytes) -> bool:
        """
        Take the next bytes; none mean that the other side has closed. Return whether it is whole.

        Raises:
            BadReply: It makes no sense, is too long, or has ended early.
        """
        self._bytes += len(data)
        if self._bytes > REPLY_BYTES_MAX:
            raise BadReply(f"too long: bytes={self._bytes}")
        self._waiting += data
        if not self._has_head:
            self._read_head()
        if self._has_head and not self.is_whole:
            self._read_body(is_end=not data)
        if not data and not self.is_whole:
            raise BadReply(f"closed early: bytes={self._bytes}")
        return self.is_whole

    def _read_head(self) -> None:
        end = self._waiting.find(_HEAD_END)
        if end < 0:
            if len(self._waiting) > _HEAD_BYTES_MAX:
                raise BadReply("no end of the head")
            return
        first, *lines = bytes(self._waiting[:end]).split(_LINE)
        if not first.startswith(b"HTTP/1.1 "):
            raise BadReply(f"not HTTP/1.1: {first[:40]!r}")
        del self._waiting[: end + len(_HEAD_END)]
        for line in lines:
            name, _, value = line.partition(b":")
            self._read_field(name.strip().lower(), value.strip().lower())
        self._has_head = True

    def _read_field(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._length = _number(value, 10)
        elif name == b"transfer-encoding":
            self._is_chunked = value == b"chunked"
        elif name == b"connection" and value == b"close":
            self.keeps_open = False

    def _read_body(self, *, is_end: bool) -> None:
        if self._is_chunked:
            self._read_chunks()
        elif self._length is not None:
            if len(self._waiting) >= self._length:
                self._finish(self._length)
        elif is_end:
            self.keeps_open = False
            self._finish(len(self._waiting))

    def _read_chunks(self) -> None:
        place = 0
        while (line_end := self._waiting.find(_LINE, place)) >= 0:
            size = _number(bytes(self._waiting[place:line_end]).partition(b";")[0].strip(), 16)
            start = line_end + len(_LINE)
            end = start + size
            if len(self._waiting) < end + len(_LINE):
                break
            if not self._waiting.startswith(_LINE, end):
                raise BadReply("a chunk without its end")
            if not size:
                place = end + len(_LINE)
                self.is_whole = True
                break
            self._chunks.append(bytes(self._waiting[start:end]))
            place = end + len(_LINE)
        del self._waiting[:place]
        if self.is_whole and self._waiting:
            raise BadReply("more than one reply")

    def _finish(self, length: int) -> None:
        if len(self._waiting) > length:
            raise BadReply("more than one reply")
        self._chunks.append(bytes(self._waiting))
        self.is_whole = True


def _number(text: bytes, base: int) -> int:
    if not text.isalnum():
        raise BadReply(f"not a length: {text[:20]!r}")
    try:
        return int(text, base)
    except ValueError as exc:
        raise BadReply(f"not a length: {text[:20]!r}") from exc


def http_request(host: str, body: bytes) -> bytes:
    """Return a POST of JSON to the root of *host* (``name:port``)."""
    head = (
        f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
