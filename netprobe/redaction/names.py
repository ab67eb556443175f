"""Names become pseudonyms: the same name the same one, as long as the key is the same.

House rules of this file:
1. What is no secret stays, since it says something: localhost, root, eth0, ~/.ssh/id_ed25519.
2. Free text keeps its words; what looks like a name, an address or a fingerprint is replaced in it.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable

from netprobe.redaction.prefixes import Addresses

_PUBLIC_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_PUBLIC_USERS = frozenset({"root", "nobody"})
# Names that a system gives by itself. `enx` and a MAC address is none of them.
_PUBLIC_INTERFACE = re.compile(
    r"(?:lo|any|(?:eth|wlan|tun|tap|ppp|wg|br|bond|veth|en|em|usb|wwan|docker|virbr)-?\d{0,4}|(?:en|wl|ww)[ops]\d[0-9a-z]{0,8})"
)
_PUBLIC_KEY_FILE = re.compile(r"(?:.*/)?\.ssh/(id_(?:rsa|dsa|ecdsa|ed25519|xmss)(?:_sk)?)")
_FINGERPRINT = re.compile(r"(SHA256|MD5):[0-9A-Za-z+/:=]{16,}")
_MAC = re.compile(r"(?<![0-9A-Fa-f:])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f:])")
_V6 = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?")
_V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_DOTTED = re.compile(r"(?<![\w.@-])(?:[\w-]+@)?[\w-]+(?:\.[\w-]+)+\.?(?![\w-])|(?<![\w.])[\w.+-]+@[\w.-]+")
_PATH = re.compile(r"(?<![\w.])~?(?:/[\w.@+-]+){2,}")
_VERSION = re.compile(r"(?:[A-Za-z]+_)?v?\d+(?:\.\d+)*(?:[a-z]\w{0,2})?")
_MADE = re.compile(r"(?:user-[0-9a-f]{8}@)?host-[0-9a-f]{8}(?:\.example)?\.?")


class Names:
    """The pseudonyms of one key."""

    def __init__(self, key: bytes, addresses: Addresses) -> None:
        self._key = hashlib.blake2b(b"names", digest_size=32, key=key).digest()
        self._addresses = addresses

    def pseudonym(self, kind: str, text: str) -> str:
        """`host-3f9c02a1`."""
        return f"{kind}-{self.digest(kind, text.encode('utf-8', 'surrogateescape')).hex()[:8]}"

    def digest(self, use: str, octets: bytes, size: int = 32) -> bytes:
        """So many octets that stand for these."""
        found = b""
        while len(found) < size:
            said = b"\0".join((use.encode(), len(found).to_bytes(4), octets))
            found += hashlib.blake2b(said, digest_size=64, key=self._key).digest()
        return found[:size]

    def host(self, name: str) -> str:
        """Of a host name or an address with or without its zone."""
        address = self.address(name)
        if address is not None:
            return address
        bare = name.lower().removesuffix(".")
        if not bare or bare in _PUBLIC_NAMES:
            return name
        return self.pseudonym("host", bare) + (".example" if "." in bare else "")

    def address(self, text: str) -> str | None:
        """Of an address, its zone too; None where it is none."""
        bare, percent, zone = text.partition("%")
        try:
            return self._addresses.text(bare) + percent + (self.interface(zone) if zone else "")
        except ValueError:
            return None

    def user(self, name: str) -> str:
        """Of a user's name."""
        return name if not name or name in _PUBLIC_USERS else self.pseudonym("user", name)

    def interface(self, name: str) -> str:
        """Of a network interface."""
        return name if not name or _PUBLIC_INTERFACE.fullmatch(name) else self.pseudonym("if", name)

    def file(self, path: str) -> str:
        """Of a file of somebody's: where a usual name says what it is, that stays."""
        if not path:
            return path
        usual = _PUBLIC_KEY_FILE.fullmatch(path)
        return f"~/.ssh/{usual[1]}" if usual else f"~/{self.pseudonym('file', path)}"

    def fingerprint(self, text: str) -> str:
        """Of a key's fingerprint, as ssh prints it."""
        kind, colon, rest = text.partition(":")
        if not colon:
            return self.pseudonym("key", text) if text else text
        return f"{kind}:{base64.b64encode(self.digest('key', rest.encode())).rstrip(b'=').decode()}"

    def target(self, text: str) -> str:
        """Of a target as a person types it: a name or an address, with scheme, user and port or without."""
        scheme, mark, rest = text.rpartition("://")
        user, at, rest = rest.rpartition("@")
        tail = ""
        if rest.startswith("[") and "]" in rest:
            host, _, tail = rest[1:].partition("]")
            host = f"[{self.host(host)}]"
        elif rest.count(":") == 1:
            host, colon, port = rest.partition(":")
            host, tail = self.host(host), colon + port
        else:
            host = self.host(rest)
        return f"{scheme}{mark}{self.user(user)}{at}{host}{tail}"

    def scrubbed(self, text: str, *known: str) -> str:
        """Free text without names: `known` ones, and whatever looks like one."""
        for name in sorted(filter(None, known), key=len, reverse=True):
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lambda _, name=name: self.host(name), text)  # type: ignore[misc]
        for pattern, replace in self._patterns():
            text = pattern.sub(replace, text)
        return text

    def _patterns(self) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
        def dotted(match: re.Match[str]) -> str:
            word = match[0]
            if _MADE.fullmatch(word) or _VERSION.fullmatch(word):
                return word
            user, at, host = word.rpartition("@")
            return f"{self.user(user)}{at}{self.host(host)}"

        def mac(match: re.Match[str]) -> str:
            return self.mac(match[0])

        return [
            (_FINGERPRINT, lambda match: self.fingerprint(match[0])),
            (_MAC, mac),
            (_V6, lambda match: self.address(match[0].rstrip(":.")) or match[0]),
            (_V4, lambda match: self.address(match[0]) or match[0]),
            (_PATH, lambda match: self.file(match[0])),
            (_DOTTED, dotted),
        ]

    def mac(self, text: str) -> str:
        """Of a link-layer address in text; what is no MAC address gets a pseudonym."""
        try:
            octets = bytes.fromhex(text.replace(":", "").replace("-", ""))
        except ValueError:
            octets = b""
        return self._addresses.mac(octets).hex(":") if len(octets) == 6 else self.pseudonym("link", text)


def is_address(text: str) -> bool:
    """Whether this is an address, its zone aside."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
