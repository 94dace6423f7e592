"""What bytes say about themselves as they pass: their digest, and the encoding they look like. No rows, no folders."""

from __future__ import annotations

import codecs
import hashlib
import io
import re
from typing import IO, Any

# Characters of three bytes and more. Two-byte ones prove nothing: 路 alone is C2 B7 in GB18030, which is a middle dot
# in UTF-8. Three bytes in a row that are one UTF-8 character do not come about by chance in GB text that is valid
# UTF-8 from start to end.
_WIDE = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
_BOMS = (
    (codecs.BOM_UTF8, "UTF-8 with BOM"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"\x84\x31\x95\x33", "GB18030 with BOM"),
)


class Inspected(io.RawIOBase):
    """A stream whose bytes are hashed, and weighed as UTF-8, as they pass."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.evidence = Evidence()

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        block = self._stream.read(len(target))
        target[: len(block)] = block
        self._sha256.update(block)
        self.evidence.add(block)
        return len(block)


class Evidence:
    """Whether bytes, given in any portions, are UTF-8 or UTF-16. GB text costs nothing after its first character."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._is_wide = False
        self._tail = b""

    def add(self, block: bytes) -> None:
        if len(self._head) < 4:
            self._head += block[:4]
        if self._decoder is None:
            return
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError:
            self._decoder = None
        # A character may begin in one portion and end in the next.
        self._is_wide = self._is_wide or _WIDE.search(self._tail + block) is not None
        self._tail = (self._tail + block)[-2:]

    @property
    def unicode(self) -> str | None:
        """The form of Unicode that the bytes are in beyond doubt."""
        bom = _bom(self._head)
        if bom is not None and bom.startswith("UTF"):
            return bom
        return "UTF-8" if self._decoder is not None and self._is_wide else None


def looks_like(data: bytes) -> str | None:
    """The encoding that a piece of text, perhaps cut off at its end, looks like."""
    evidence = Evidence()
    evidence.add(data)
    found = evidence.unicode or _bom(data)
    if found is not None or data.isascii():
        return found
    for name, codec in (("GBK", "gbk"), ("GB18030", "gb18030")):
        try:
            codecs.getincrementaldecoder(codec)().decode(data)
        except UnicodeDecodeError:
            continue
        return name
    return None


def codec_of(encoding: str | None) -> str:
    """Python's codec for a contract's encoding; a BOM belongs to UTF-8, not to the first column's name."""
    name = (encoding or "utf-8").lower().replace("_", "-")
    return "utf-8-sig" if name in ("utf-8", "utf8") else name


def contradiction(table_encoding: str | None, evidence: Evidence) -> str | None:
    """What the bytes look like where that is not the contract's encoding. Chinese in UTF-8 often decodes as GB18030
    without an error, into other characters: no decoder would notice."""
    found = evidence.unicode
    is_utf8 = codec_of(table_encoding) == "utf-8-sig"
    return None if found is None or (is_utf8 and found.startswith("UTF-8")) else found


def _bom(head: bytes) -> str | None:
    return next((name for mark, name in _BOMS if head.startswith(mark)), None)
