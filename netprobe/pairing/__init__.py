"""Two captures of the same conversations, taken at both ends: what left, what arrived, what was lost or rewritten.

Glossary, and the way of a conversation:

    side          one of the two captures: its conversations, when it ran, what it shows        side.py
    packet        one packet as a side keeps it: headers, options, a checksum of its payload    packet.py
    couple        a conversation as both sides saw it; matched by ports or, behind NAT, by ISS  couples.py
    match         which packet of one side is which of the other; each at most once             match.py
    clocks        how far the two clocks are apart, from the quickest packets of both ways      clocks.py
    coverage      whether a side could have seen a packet that it doesn't have                  coverage.py
    fate          arrived, lost, forged, split, or not to be told                               fates.py
    changes       what a packet looks like here and looked like there                           changes.py
    judgement     the fates of an attempt as words for the rules                                judgement.py
    refinement    what remains of the client's own verdict, and on which side the cause lies    refine.py

House rules of this package:
1. Pure: no file, no clock. Frames are given in; nouns (netprobe.model.Pair) come out.
2. `there` is from the client to the server, `back` the other way; times are of the side that saw the packet.
3. A packet that a side lacks is called lost only where that side could have seen it (coverage.py); never else.
4. Of each conversation and direction a side keeps the first HEAD packets, every SYN, FIN and reset up to SPECIAL, and
   the last TAIL ones; what lies between is counted, and nothing is said of it.
5. No cause is named here: that is the table's (netprobe.rules.pair).
"""

from __future__ import annotations

HEAD = 24
TAIL = 8
SPECIAL = 64
