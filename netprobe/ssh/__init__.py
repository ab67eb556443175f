"""SSH as far as a wire shows it: the opening, the key exchange in clear, the login from sizes.

    opening      lines before the identification, the identification, whether a KEXINIT begins
    transport    one direction in clear, bytes in, events out; messages: what their payloads say
    reassembly   one direction of TCP in order, within bounds
    negotiation  what two offers have in common, and what helps where nothing is; defaults: an offer with its date
    telling      a key exchange in sentences
    session      both directions of one connection, fed segment by segment
    asked        what a server said when a scan asked it for its methods of login
    credentials  what the user's ssh would offer, held against that; advice: the table behind it
    login        what became of the login, from the sizes of encrypted packets

House rules of this package:
1. Pure and incremental: bytes and sizes in, nouns of `netprobe.model` out; fed whole or byte by byte,
   the same comes out.
2. Any bytes will do. Work and memory are bounded by constants, not by what a stranger's lengths claim.
3. What a gap hides is said to be unknown, never guessed.
"""

from __future__ import annotations

from netprobe.ssh.opening import IDENTIFICATION_LIMIT, LINES_LIMIT, OWN, Opening, read

__all__ = ["IDENTIFICATION_LIMIT", "LINES_LIMIT", "OWN", "Opening", "read"]
