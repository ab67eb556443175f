"""A capture without what names its people and machines: addresses mapped, names replaced, payloads dropped.

    prefixes   keyed maps of addresses that keep common prefixes, and each address's kind
    names      host names, user names and the like become pseudonyms
    streams    which bytes of a TCP stream stay: what identifies a service, and how an SSH session is negotiated
    packets    one frame rewritten: link, IP, ICMP with its quotes, ARP, neighbour discovery, TCP, UDP, checksums
    facts      what a scan wrote down beside its packets
    capture    a whole file: read twice, written anew

House rules of this package:
1. What is not understood is dropped, never kept: bytes become zeros of the same number.
2. The same key maps the same way, everywhere; without the key nothing can be mapped back.
3. Numbers of frames, times, lengths, flags, TTLs and ports stay, so that the same verdicts come out.
"""
