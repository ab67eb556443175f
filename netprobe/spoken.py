"""What a server said in plain words, as it meant them."""

from __future__ import annotations

import codecs


def readable(text: str) -> str:
    """A server's words (decoded latin-1: a character is an octet) read as UTF-8 where they are that (RFC 4253, 4.2: the
    lines before an identification should be); else as they are. Of a character that was cut the octets stay."""
    if text.isascii():
        return text
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        words = decoder.decode(text.encode("latin-1"))
    except UnicodeError:
        return text
    left, _ = decoder.getstate()
    return text if words.isascii() else words + left.decode("latin-1")
