"""Situations that two captures of one conversation show, as ladders with two columns; the name is the situation."""

from __future__ import annotations

# What shows that both captures run and see both hosts, before and after: a closed port, a ping; and that the server's
# shows the very port: another connection to it.
BEFORE = """
    0.000 > S port 40100 to 35000 [mss] | 0.010
    0.021 < RA port 40100 to 35000 | 0.011
    0.030 > echo id 9 | 0.040
    0.051 < reply id 9 | 0.041
"""
AFTER = """
    9.000 > S port 40101 to 35000 [mss] | 9.010
    9.021 < RA port 40101 to 35000 | 9.011
"""
SHOWN = """
    0.100 > S port 40200 [mss] | 0.110
    0.121 < SA port 40200 | 0.111
    0.122 > A port 40200 | 0.132
    0.140 > RA port 40200 | 0.150
"""
SYNS_LOST = """
    1.0 > S [mss] | -
    2.0 > S [mss] | -
    4.0 > S [mss] | -
"""
SYNS = """
    1.0 > S [mss] id 11 | 1.01 id 11
    2.0 > S [mss] id 12 | 2.01 id 12
    4.0 > S [mss] id 13 | 4.01 id 13
"""
OPEN = """
    1.000 > S [mss] | 1.010
    1.021 < SA | 1.011
    1.022 > A | 1.032
"""
BANNER = '    1.050 < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n" | 1.040\n'
IDENT = """
    1.051 > PA "SSH-2.0-OpenSSH_9.2p1\\r\\n" | 1.061
    1.072 < A | 1.062
"""
KEXINIT = '"' + "k" * 1400 + '"'

PAIR_SITUATIONS: dict[str, str] = {
    "reset_that_the_server_never_sent": f"""
        {BEFORE} {SHOWN}
        1.000 > S [mss] | 1.010
        1.005 < RA ttl 63 | -
        1.021 < SA | 1.011
        {AFTER}
        expect NP701 reset-on-path certain closed path
    """,
    "reset_in_the_middle_that_the_server_never_sent": f"""
        {BEFORE} {OPEN} {BANNER}
        1.060 < R ttl 60 | -
        1.070 > A | 1.080
        {AFTER}
        expect NP702 reset-on-path certain open path
    """,
    "reset_that_the_client_never_sent": f"""
        {BEFORE} {OPEN}
        - > R | 1.050 ttl 60
        {AFTER}
        expect NP703 reset-on-path certain open path
    """,
    "reset_that_is_not_in_a_capture_that_may_be_filtered": f"""
        {BEFORE}
        1.000 > S [mss] | -
        1.005 < RA ttl 63 | -
        {AFTER}
        expect NP704 reset-on-path likely closed path
    """,
    "syn_ack_that_the_server_never_sent": f"""
        {BEFORE} {SHOWN}
        1.000 > S [mss] | 1.010
        1.005 < SA ttl 63 win 0 | -
        1.006 > A | -
        2.000 > A | -
        3.000 > PA "SSH-2.0-x\\r\\n" | -
        {AFTER}
        expect NP705 syn-proxy certain open path
    """,
    "icmp_error_in_the_name_of_the_server": f"""
        {BEFORE} {SHOWN}
        1.000 > S [mss] | -
        1.005 < icmp 3/9 from 203.0.113.5 | -
        {AFTER}
        expect NP706 rejected-on-path certain filtered path
    """,
    "forward_whose_backend_resets": f"""
        nat server 192.0.2.77 2222
        {BEFORE}
        1.000 > S [mss] | 1.010
        1.021 < RA | 1.011
        {AFTER}
        expect NP707 forward-without-backend certain closed server
    """,
    "syns_lost_on_the_way_there": f"""
        {BEFORE} {SHOWN} {SYNS_LOST} {AFTER}
        expect NP710 dropped certain filtered way-there path
    """,
    "syns_not_in_a_capture_that_may_be_filtered": f"""
        {BEFORE} {SYNS_LOST} {AFTER}
        expect NP711 dropped likely way-there
    """,
    "syns_not_in_a_capture_that_dropped_packets": f"""
        drops - 40
        {BEFORE} {SHOWN} {SYNS_LOST} {AFTER}
        expect NP711 dropped likely way-there
    """,
    "syns_and_an_empty_capture": f"""
        {SYNS_LOST}
        20.0 > who-has 192.0.2.9 | 20.0
        expect NP712 dropped possible way-there
    """,
    "answers_lost_on_the_way_back": f"""
        {BEFORE} {SHOWN} {SYNS}
        - < SA | 1.011
        - < SA | 2.011
        - < SA | 4.011
        {AFTER}
        expect NP713 reply-filtered certain way-back
    """,
    "resets_lost_on_the_way_back": f"""
        {BEFORE} {SHOWN} {SYNS}
        - < RA | 1.011
        - < RA | 2.011
        - < RA | 4.011
        {AFTER}
        expect NP713 reply-filtered certain way-back
    """,
    "answers_not_in_a_capture_without_answers": f"""
        {SYNS}
        - < SA | 1.011
        - < SA | 2.011
        9.000 > S port 40101 to 35000 [mss] | 9.010
        - < RA port 40101 to 35000 | 9.011
        expect NP714 reply-filtered likely way-back
    """,
    "server_that_answers_others_and_not_this_one": f"""
        {BEFORE} {SHOWN} {SYNS} {AFTER}
        expect NP715 dropped possible server target
    """,
    "server_that_does_not_answer": f"""
        {BEFORE} {SYNS} {AFTER}
        expect NP716 dropped possible server target
    """,
    "server_whose_capture_dropped_packets_does_not_answer": f"""
        drops - 3
        {BEFORE} {SYNS} {AFTER}
        expect NP717 dropped possible filtered
    """,
    "ack_lost_on_the_way_there": f"""
        {BEFORE}
        1.000 > S [mss] | 1.010
        1.021 < SA | 1.011
        1.022 > A | -
        2.021 < SA | 2.011
        2.022 > A | -
        4.021 < SA | 4.011
        4.022 > A | -
        {AFTER}
        expect NP720 handshake-blocked certain open way-there
    """,
    "large_segment_lost_until_it_is_cut": f"""
        {BEFORE} {OPEN} {BANNER} {IDENT}
        - < A {KEXINIT} | 1.100
        1.111 < PA "the rest of it" | 1.101
        1.112 > A ack -1414 [sacked] | 1.122
        - < A seq -1414 {KEXINIT} | 1.500
        - < A seq -1414 {KEXINIT} | 2.500
        5.010 < A seq -1414 "{"k" * 700}" | 5.000
        5.011 < A seq -714 "{"k" * 700}" | 5.001
        {AFTER}
        expect NP730 path-mtu-black-hole certain open way-back
    """,
    "large_segment_always_lost": f"""
        {BEFORE} {OPEN} {BANNER} {IDENT}
        - < PA {KEXINIT} | 1.100
        - < A seq -1400 {KEXINIT} | 1.500
        - < A seq -1400 {KEXINIT} | 2.500
        - < A seq -1400 {KEXINIT} | 5.500
        {AFTER}
        expect NP731 path-mtu-black-hole likely open way-back
    """,
    "words_of_the_server_lost": f"""
        {BEFORE} {OPEN}
        - < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n" | 1.100
        - < PA seq -23 "SSH-2.0-OpenSSH_9.2p1\\r\\n" | 1.500
        - < PA seq -23 "SSH-2.0-OpenSSH_9.2p1\\r\\n" | 2.500
        8.0 > FA ack -23 | 8.01
        {AFTER}
        expect NP732 reply-filtered certain open way-back
    """,
    "words_of_the_client_lost": f"""
        {BEFORE} {OPEN}
        1.100 > PA "GET / HTTP/1.0\\r\\n\\r\\n" | -
        1.500 > PA seq -18 "GET / HTTP/1.0\\r\\n\\r\\n" | -
        2.500 > PA seq -18 "GET / HTTP/1.0\\r\\n\\r\\n" | -
        {AFTER}
        expect NP733 handshake-blocked certain open way-there
    """,
    "reset_that_left_the_server": f"""
        {BEFORE}
        1.000 > S [mss] | 1.010
        1.021 < RA | 1.011
        {AFTER}
        expect NP144 no-listener possible closed server
    """,
}
