"""Server-sent events, read from a stream that may be cut anywhere.

Bytes are given as they arrive; whole events come out. Only the `data` of an event is of use here: the API repeats the
event's name inside it. Lines end in LF or CRLF (the standard's lone CR is sent by nobody).
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE = 8 << 20  # bytes; a longer line is left out, so that a broken provider cannot fill the memory
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """`feed` the stream piece by piece; `lost` says that a line was too long and left out."""

    def __init__(self) -> None:
        self._tail = b""
        self._data: list[bytes] = []
        self._begun = False
        self._skipping = False
        self.lost = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of every event that ends in this piece. Read it to the end before the next piece."""
        lines = (self._tail + chunk).split(b"\n")
        self._tail = lines.pop()
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event
        if len(self._tail) > MAX_LINE:
            self._tail = b""
            self._skipping = self.lost = True

    def close(self) -> Iterator[bytes]:
        """What stands at the end without the empty line that would end it: a provider may leave it out."""
        yield from self.feed(b"\n\n")

    def _line(self, line: bytes) -> bytes | None:
        if self._skipping:
            self._skipping = False
            return None
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\r")
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            return event
        return None
