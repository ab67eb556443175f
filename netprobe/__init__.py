"""netprobe tells why a TCP connection fails, and proves it with packets.

Glossary, in the order of the way from the wire to the report:

    record      a Frame (one packet) or a Fact (what no packet shows), numbered in one sequence     model
    probe       a crafted packet; its shapes are SYN, MD5_SYN, ACK, FIN, ECHO ...                    model, wire.codec
    wire        where records come from and commands go to: live, connect() alone, scripted          wire
    tracker     the loop that joins packets to attempts and counts what is unsolicited               tracker
    attempt     one SYN (or probe, or echo) with everything that came back                           attempts
    control     another port of the same address, to compare answers with                            evidence.reset
    walk        probes whose TTL runs out on the way; survey: what they found                        path
    feature     a word for something seen (`rst_tos=echo`); the vocabulary is closed                 evidence
    rule        a row of the table: features -> state, cause, certainty, who, because, rivals        rules
    origin      who made the refusal: target, path, local, resolver; or between two hops             origin
    verdict     one address and port, diagnosed                                                      verdict
    ladder      the steps of probing, each taken only while the ones before leave rivals             prober
"""

__version__ = "0.1.0"
