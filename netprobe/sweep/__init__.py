"""Sweeps: whole networks with one SYN for each address and port, and a cause for each answer.

    space         the pairs that may be touched, each with a number
    permutation   the order in which numbers are drawn, without a table
    keyed         SipHash of many messages at once
    stamping      packets in bulk: keyed source ports and sequence numbers
    answers       which packets answer a SYN, and which are alike
    windows       the part of the order that is under way
    pace          how fast
    way           source address and next hop
    sweep         sends, listens, repeats, settles
    charting      how many of each cause where
    limits        who limits ICMP errors, and what may have fallen to it
    slowly        asking those again
    second        the full diagnosis for some
    resuming      how far it is, on disk
    kinds         from one packet of each shape to a verdict
    settling      from a window to verdicts
    telling       from verdicts to lines
    run           from options to a report

House rules of this package:
1. Memory follows the rate, never the size of what is swept; time is linear in it.
2. An address in bulk is never a Python object.
"""
