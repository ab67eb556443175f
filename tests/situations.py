"""Situations as ladders, one for each row of the table of rules at least; the name is the situation."""

from __future__ import annotations

from tests.kex_situations import KEX_SITUATIONS, SESSION_SITUATIONS
from tests.login_situations import LOGIN_SITUATIONS

SILENCE = "0.0 > S [mss]\n1.0 > S [mss]\n3.0 > S [mss]\nuntil 6\n"
OPEN = "0.00 > S [mss]\n0.02 < SA ttl 60\n0.03 > A\n"
# What the prober compares a reset with: a closed port, a ping, and both ports with an MD5 option.
REFUSED = """
    0.00 > S tos 0x48 [mss]
    0.03 > S port 61000 to 35000 tos 0x48 [mss]
    0.03 > echo id 9
    0.03 > S port 61001 tos 0x48 [md5,mss]
    0.03 > S port 61002 to 35000 tos 0x48 [md5,mss]
    until 3
"""
CLOSED_CONTROL = "0.05 < RA port 61000 to 35000 ttl 60 tos 0x48 win 0\n0.05 < reply id 9 ttl 60\n"
BANNER = '0.04 < PA ttl 60 "SSH-2.0-OpenSSH_9.2p1\\r\\n"\n'
OURS = '0.05 > PA "SSH-2.0-netprobe\\r\\n"\n'
HEARD = "0.07 < A ttl 60\n"
STALLED = OPEN + BANNER + OURS
KEXINIT = '0.06 < PA ttl 60 "\\x00\\x00\\x01\\x00\\x0a\\x14kex"\n'
# A second connection, whose SYN carries a small MSS (the fact says so).
SECOND = """
    3.00 fact started id 2 port 40002 win 256
    3.00 > S port 40002 [mss]
    3.02 < SA port 40002 ttl 60
    3.02 fact open id 2
    3.03 > A port 40002
    3.04 < PA port 40002 ttl 60 "SSH-2.0-OpenSSH_9.2p1\\r\\n"
    3.05 > PA port 40002 "SSH-2.0-netprobe\\r\\n"
"""
FIRST = "0.00 fact started id 1 port 40000\n0.02 fact open id 1\n"
IMPOSSIBLE = """
    2.0 > S from 198.51.100.253 port 61050 tos 0x48 [mss]
    2.0 > S from 192.0.2.253 port 61051 tos 0x48 [mss]
"""
ROUTE = "0.0 fact route ok via 192.0.2.254\n"
WALK = """
    0.80 > S port 61010 ttl 1 [mss]
    0.80 > S port 61011 ttl 2 [mss]
    0.80 > S port 61012 ttl 3 [mss]
    0.81 < icmp 11/0 port 61010 from 198.51.100.1 ttl 64
    0.82 < icmp 11/0 port 61011 from 198.51.100.2 ttl 63
"""

SITUATIONS: dict[str, str] = KEX_SITUATIONS | SESSION_SITUATIONS | LOGIN_SITUATIONS | {
    # ------------------------------------------------------------- before a SYN reaches the path
    "name_that_does_not_exist": """
        server gone.example
        target unresolved
        0.0 fact resolved gone.example not-found NXDOMAIN
        expect NP001 name-not-found certain unknown resolver
    """,
    "name_without_an_address": """
        server mail.example
        target unresolved
        0.0 fact resolved mail.example no-address
        expect NP002 name-not-found certain
    """,
    "resolver_says_servfail": """
        server a.example
        target unresolved
        0.0 fact resolved a.example server-failure SERVFAIL
        expect NP003 resolver-failure certain
    """,
    "resolver_is_silent": """
        server a.example
        target unresolved
        0.0 fact resolved a.example time-out
        expect NP004 resolver-failure certain
    """,
    "resolution_fails_otherwise": """
        server a.example
        target unresolved
        0.0 fact resolved a.example failed
        expect NP005 resolver-failure likely
    """,
    "no_route": "0.0 fact route no-route\nexpect NP010 no-local-route certain unknown local",
    "route_of_type_unreachable": "0.0 fact route unreachable\nexpect NP011 no-local-route certain",
    "route_of_type_prohibit": "0.0 fact route prohibited\nexpect NP012 no-local-route certain",
    "route_of_type_blackhole": "0.0 fact route blackhole\nexpect NP013 no-local-route certain",
    "routing_rule_prohibits_the_port": """
        0.0 fact started portless
        0.0 fact failed EACCES
        expect NP016 no-local-route likely local
    """,
    "refused_by_this_machine_without_privilege": """
        target kernel
        0.0 fact started portless
        0.0 fact failed EPERM
        expect NP017 local-firewall likely local
    """,
    "own_address_and_nothing_on_loopback": """
        0.0 fact route local
        0.0 fact started port 40000
        until 3
        expect NP035 local-firewall likely local
    """,
    "own_filter_drops_what_comes_in": """
        0.0 fact started port 40000
        0.0 > S [mss]
        0.02 < SA
        1.02 < SA
        until 3
        expect NP034 local-firewall likely local
    """,
    "no_ephemeral_port_left": """
        0.0 fact started portless
        0.0 fact failed EADDRNOTAVAIL
        expect NP014 local-limit certain
    """,
    "no_descriptor_left": """
        0.0 fact started portless
        0.0 fact failed EMFILE
        expect NP015 local-limit certain
    """,
    "link_goes_down_during_the_scan": f"""
        {ROUTE}
        0.0 > S [mss]
        0.5 fact link eth0 down
        until 2
        expect NP019 inconclusive possible unknown
    """,
    "link_goes_down_and_up_again": f"""
        {ROUTE}
        0.5 fact link eth0 down
        0.8 fact link eth0 up
        {SILENCE}
        expect NP171 host-silent
    """,
    "on_link_host_does_not_answer_arp": """
        client 192.0.2.1
        server 192.0.2.9
        link ethernet
        0.0 fact route ok
        0.0 fact started port 40000
        0.0 > who-has 192.0.2.9
        1.0 > who-has 192.0.2.9
        2.0 > who-has 192.0.2.9
        3.1 fact neighbour 192.0.2.9 failed
        3.1 fact failed EHOSTUNREACH
        until 3.2
        expect NP020 neighbor-unreachable certain filtered target
    """,
    "gateway_does_not_answer_neighbour_solicitations": """
        client 2001:db8::1
        server 2001:db8:5::5
        0.0 fact route ok via 2001:db8::fe
        0.0 fact started port 40000
        0.0 > who-has 2001:db8::fe
        1.0 > who-has 2001:db8::fe
        2.0 > who-has 2001:db8::fe
        3.1 fact neighbour 2001:db8::fe failed
        3.1 fact failed EHOSTUNREACH
        until 3.2
        expect NP020 neighbor-unreachable certain path
    """,
    "unprivileged_kernel_gives_up_on_the_neighbour": """
        server 192.0.2.9
        target kernel
        0.0 fact started port 40000
        3.1 fact icmp 3/1 from 192.0.2.1 EHOSTUNREACH
        3.1 fact failed EHOSTUNREACH
        expect NP021 neighbor-unreachable likely
    """,
    "own_output_rule_rejects_with_reset": """
        0.0 fact started port 40000
        0.001 fact failed ECONNREFUSED
        1.0 > S port 61000 tos 0x48 [mss]
        1.1 < SA port 61000
        until 3
        expect NP030 local-firewall certain filtered local
    """,
    "own_output_rule_rejects_with_icmp": """
        0.0 fact started port 40000
        0.001 fact failed EACCES
        until 3
        expect NP031 local-firewall certain
    """,
    "own_output_rule_drops": """
        0.0 fact started port 40000
        until 3
        expect NP032 local-firewall certain
    """,
    "own_address_in_the_icmp_error": """
        0.0 > S [mss]
        0.0001 < icmp 3/3 from 192.0.2.1
        until 3
        expect NP033 local-firewall certain
    """,
    # ------------------------------------------------------------- the service
    "addresses_that_cannot_exist_answer_too": f"""
        {OPEN}
        {IMPOSSIBLE}
        2.02 < SA from 198.51.100.253 port 61050 ttl 64
        2.02 < SA from 192.0.2.253 port 61051 ttl 64
        until 20
        expect NP301 transparent-proxy certain path
    """,
    "one_address_that_cannot_exist_answers": f"""
        {OPEN}
        {IMPOSSIBLE}
        2.02 < SA from 198.51.100.253 port 61050 ttl 64
        until 20
        expect NP370 no-banner
    """,
    "syn_proxy_whose_backend_refuses": """
        0.00 > S [mss]
        0.02 < SA win 0
        0.03 > A
        0.05 < RA win 0
        until 3
        expect NP310 syn-proxy certain open
    """,
    "syn_proxy_whose_backend_is_dead": """
        0.00 > S [mss]
        0.02 < SA win 0
        0.03 > A
        until 20
        expect NP311 syn-proxy certain open
    """,
    "zero_window_that_opens_later": """
        0.00 > S [mss]
        0.02 < SA win 0
        0.03 > A
        0.05 < A win 5000
        0.06 < PA "SSH-2.0-x\\r\\n"
        expect NP330 up
    """,
    "full_size_segments_are_lost_and_smaller_ones_pass": f"""
        {FIRST}
        {STALLED}
        {HEARD}
        0.08 < PA seq +1400 "tail of the key exchange"
        {SECOND}
        3.06 < PA port 40002 "\\x00\\x00\\x01\\x00\\x0a\\x14kex"
        until 9
        expect NP320 path-mtu-black-hole certain open
    """,
    "only_a_small_mss_brings_the_key_exchange": f"""
        {FIRST}
        {STALLED}
        {HEARD}
        {SECOND}
        3.06 < PA port 40002 "\\x00\\x00\\x01\\x00\\x0a\\x14kex"
        until 9
        expect NP319 path-mtu-black-hole likely open
    """,
    "nothing_passes_after_the_identification": f"""
        {FIRST}
        {STALLED}
        {SECOND}
        until 12
        expect NP321 reset-after-banner likely
    """,
    "box_resets_after_the_identification": f"""
        {STALLED}
        0.06 < RA ttl 63
        until 3
        expect NP322 reset-after-banner certain path
    """,
    "server_resets_after_the_identification": f"""
        {STALLED}
        0.06 < RA ttl 60
        until 3
        expect NP323 reset-after-banner certain target
    """,
    "key_exchange_never_begins": f"""
        {FIRST}
        {STALLED}
        {HEARD}
        {SECOND}
        until 12
        expect NP325 up likely
    """,
    "server_closes_after_the_identification": f"""
        {STALLED}
        0.06 < FA ttl 60
        until 3
        expect NP324 reset-after-banner certain
    """,
    "ssh_server": f"{STALLED}\n{KEXINIT}\nexpect NP330 up certain open",
    "ssh_server_behind_lines_of_text": f"""
        {OPEN}
        0.04 < PA ttl 60 "welcome\\r\\n"
        0.05 < PA ttl 60 "SSH-1.99-x\\r\\n"
        expect NP330 up certain
    """,
    "http_server_where_anything_will_do": f"""
        target any
        {OPEN}
        0.04 < PA "HTTP/1.1 400 Bad Request\\r\\n"
        expect NP331 up certain
    """,
    "silent_server_where_anything_will_do": f"target any\n{OPEN}\nuntil 4\nexpect NP332 up certain",
    "ssh_of_the_last_century": f'{OPEN}\n0.04 < PA "SSH-1.5-x\\n"\nexpect NP340 ssh1-only certain',
    "tarpit": f"""
        {OPEN}
        1.0 < PA "aB3\\r\\n"
        2.0 < PA "x9\\r\\n"
        3.0 < PA "Qq\\r\\n"
        expect NP341 tarpit certain
    """,
    "max_startups_exceeded": f"""
        {OPEN}
        0.04 < PA "Exceeded MaxStartups\\r\\n"
        0.05 < FA
        expect NP350 refused-with-text certain
    """,
    "penalty_of_openssh": f"""
        {OPEN}
        0.04 < PA "Not allowed at this time\\r\\n"
        0.05 < FA
        expect NP351 refused-with-text certain
    """,
    "text_and_close": f"""
        {OPEN}
        0.04 < PA "Go away, please.\\r\\n"
        0.05 < FA
        expect NP352 refused-with-text certain
    """,
    "smtp_server": f'{OPEN}\n0.04 < PA "220 mx ESMTP Postfix\\r\\n"\nexpect NP353 other-service certain',
    "text_and_silence": f'{OPEN}\n0.04 < PA "login: "\nuntil 20\nexpect NP354 other-service likely',
    "unknown_bytes_and_close": f'{OPEN}\n0.04 < PA "\\x01\\x02\\x03\\x04\\x05"\n0.05 < FA\nexpect NP355 likely',
    "two_boxes_answer": f"{OPEN}\n0.04 < SA iss 7 ttl 50\nuntil 20\nexpect NP360 malformed-answer likely",
    "our_ack_never_arrives": f"""
        {OPEN}
        1.03 < SA
        3.03 < SA
        3.04 > A
        until 20
        expect NP361 handshake-blocked likely
    """,
    "box_resets_right_after_the_handshake": f"{OPEN}\n0.05 < RA ttl 63 win 0\nuntil 3\nexpect NP367 path likely",
    "balancer_without_a_backend": f"{OPEN}\n0.05 < RA ttl 60 win 0\nuntil 3\nexpect NP362 reset-after-handshake likely",
    "process_drops_the_connection": f"""
        {FIRST}
        {OPEN}
        0.50 < RA ttl 60 win 500
        until 3
        expect NP364 closed-before-banner likely
    """,
    "process_drops_the_connection_and_no_proxy_is_near": f"""
        {OPEN}
        0.50 < RA ttl 60 win 500
        {IMPOSSIBLE}
        until 9
        expect NP363 closed-before-banner certain
    """,
    "server_closes_without_a_word_and_no_proxy_is_near": f"""
        {OPEN}
        0.05 < FA ttl 60
        {IMPOSSIBLE}
        until 9
        expect NP365 closed-before-banner certain target
    """,
    "server_closes_without_a_word": f"{OPEN}\n0.05 < FA ttl 60\nuntil 3\nexpect NP366 closed-before-banner likely",
    "server_says_nothing": f"{OPEN}\n{OURS}\n{HEARD}\nuntil 20\nexpect NP370 no-banner likely open",
    "server_has_not_had_time_to_speak": f"{OPEN}\nuntil 2\nexpect NP399 inconclusive open",
    # ------------------------------------------------------------- routers
    "routing_loop": """
        0.0 > S [mss]
        0.1 < icmp 11/0 from 198.51.100.2 ttl 63
        0.8 > S port 61010 ttl 1 [mss]
        0.8 > S port 61011 ttl 2 [mss]
        0.8 > S port 61012 ttl 3 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < icmp 11/0 port 61011 from 198.51.100.2
        0.83 < icmp 11/0 port 61012 from 198.51.100.1
        until 3
        expect NP201 routing-loop certain filtered path
    """,
    "time_exceeded_at_full_ttl": """
        0.0 > S [mss]
        0.1 < icmp 11/0 from 198.51.100.2 ttl 63
        until 3
        expect NP202 routing-loop likely
    """,
    "router_says_no_route_after_it_forwarded": f"""
        0.0 > S [mss]
        0.1 < icmp 3/0 from 198.51.100.2 ttl 63
        {WALK}
        0.83 < icmp 3/0 port 61012 from 198.51.100.2 ttl 63
        until 3
        expect NP210 rejected-on-path likely
    """,
    "router_says_no_route_for_one_port": """
        0.0 > S [mss]
        0.1 < icmp 3/0 from 198.51.100.2 ttl 63
        0.1 > S port 61000 to 35000 [mss]
        0.2 < RA port 61000 to 35000
        until 3
        expect NP211 rejected-on-path certain
    """,
    "router_without_a_route": """
        0.0 > S [mss]
        0.1 < icmp 3/0 from 198.51.100.2 ttl 63
        0.1 > S port 61000 to 35000 [mss]
        0.2 < icmp 3/0 port 61000 to 35000 from 198.51.100.2
        0.8 > S port 61010 ttl 1 [mss]
        0.8 > S port 61011 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < icmp 3/0 port 61011 from 198.51.100.2
        until 3
        expect NP212 network-unreachable likely
    """,
    "router_says_no_route": """
        0.0 > S [mss]
        0.1 < icmp 3/0 from 198.51.100.2 ttl 63 bytes 8
        until 3
        expect NP213 network-unreachable likely
    """,
    "router_says_host_unreachable_for_one_port": """
        0.0 > S [mss]
        0.1 < icmp 3/1 from 198.51.100.2 ttl 63
        0.1 > S port 61000 to 35000 [mss]
        0.2 < RA port 61000 to 35000
        until 3
        expect NP220 rejected-on-path certain
    """,
    "last_router_gives_up_on_a_dead_host": """
        0.0 > S [mss]
        1.0 > S [mss]
        3.1 < icmp 3/1 from 198.51.100.2 ttl 63
        3.1 < icmp 3/1 from 198.51.100.2 ttl 63
        until 4
        expect NP221 host-unreachable certain path
    """,
    "router_filters_with_host_unreachable": f"""
        0.0 > S [mss]
        0.1 < icmp 3/1 from 198.51.100.2 ttl 63
        {WALK}
        0.83 < icmp 3/1 port 61012 from 198.51.100.2 ttl 63
        until 3
        expect NP222 rejected-on-path likely
    """,
    "route_of_type_unreachable_on_a_router": """
        client 2001:db8::1
        server 2001:db8:5::5
        0.0 > S [mss]
        0.1 < icmp 1/3 from 2001:db8:2::2 ttl 63
        until 3
        expect NP223 host-unreachable likely addr-unreach
    """,
    "router_rejects": """
        0.0 > S [mss]
        0.1 < icmp 3/13 from 198.51.100.2 ttl 63 bytes 8
        until 3
        expect NP230 rejected-on-path certain admin-prohibited path
    """,
    "router_sends_a_code_nobody_knows": """
        0.0 > S [mss]
        0.1 < icmp 3/99 from 198.51.100.2 ttl 63
        until 3
        expect NP230 rejected-on-path icmp-3-99
    """,
    # ------------------------------------------------------------- refusals
    "old_connection_of_the_same_ports": """
        0.0 > S [mss]
        0.1 < A seq 5 ack 99
        0.2 > S port 61000 [mss]
        0.3 < SA port 61000
        until 3
        expect NP101 stale-four-tuple certain unknown
    """,
    "challenge_ack_only": """
        0.0 > S [mss]
        0.1 < A seq 5 ack 99
        until 3
        expect NP102 stale-four-tuple likely
    """,
    "each_syn_draws_nonsense": """
        0.0 > S [mss]
        0.1 < SA ack +1
        1.0 > S [mss]
        1.1 < SA ack +1
        3.0 > S [mss]
        3.1 < SA ack +1
        until 6
        expect NP105 malformed-answer likely unknown
    """,
    "open_then_silent": """
        0.0 > S [mss]
        0.1 < SA
        1.0 > S port 40001 [mss]
        2.0 > S port 40001 [mss]
        until 6
        expect NP106 rate-limited likely open
    """,
    "reset_then_icmp": """
        0.0 > S [mss]
        0.1 < RA
        1.0 > S port 40001 [mss]
        1.1 < icmp 3/3 port 40001 from 203.0.113.5
        until 6
        expect NP107 rate-limited likely closed
    """,
    "icmp_then_another_icmp": """
        0.0 > S [mss]
        0.1 < icmp 3/3 from 203.0.113.5
        1.0 > S port 40001 [mss]
        1.1 < icmp 3/13 port 40001 from 203.0.113.5
        until 6
        expect NP108 rate-limited likely filtered
    """,
    "only_syns_without_options_are_answered": f"""
        {SILENCE}
        4.3 > S port 61000
        4.4 < SA port 61000
        expect NP109 syn-shape-filtered likely
    """,
    "reset_and_then_the_hosts_own_syn_ack": """
        0.0 > S [mss]
        0.01 < RA ttl 63
        0.02 < SA ttl 60
        until 3
        expect NP103 reset-on-path certain open
    """,
    "reset_comes_from_before_the_host": f"""
        {REFUSED}
        0.02 < RA ttl 62 tos 0 win 0
        0.05 < RA port 61001 ttl 62 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61020 to 35000 ttl 1 [mss]
        0.80 > S port 61021 to 35000 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < RA port 61011 ttl 62 win 0
        0.81 < icmp 11/0 port 61020 to 35000 from 198.51.100.1
        0.82 < icmp 11/0 port 61021 to 35000 from 198.51.100.2
        expect NP111 reset-on-path certain
    """,
    "port_sent_on_to_a_machine_before_the_host": f"""
        {REFUSED}
        0.02 < RA ttl 62 tos 0x48 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61020 to 35000 ttl 1 [mss]
        0.80 > S port 61021 to 35000 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < RA port 61011 ttl 62 tos 0x48 win 0
        0.81 < icmp 11/0 port 61020 to 35000 from 198.51.100.1
        0.82 < icmp 11/0 port 61021 to 35000 from 198.51.100.2
        expect NP125 forward-without-backend likely path
    """,
    "reset_from_before_the_host_without_more": f"""
        {REFUSED}
        0.02 < RA ttl 62 tos 0 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61020 to 35000 ttl 1 [mss]
        0.80 > S port 61021 to 35000 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < RA port 61011 ttl 62 win 0
        0.81 < icmp 11/0 port 61020 to 35000 from 198.51.100.1
        0.82 < icmp 11/0 port 61021 to 35000 from 198.51.100.2
        expect NP126 reset-on-path likely
    """,
    "answers_of_the_port_come_another_way": f"""
        {REFUSED}
        0.02 < RA ttl 64 tos 0x48 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61020 to 35000 ttl 1 [mss]
        0.80 > S port 61021 to 35000 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < icmp 11/0 port 61011 from 198.51.100.2
        0.81 < icmp 11/0 port 61020 to 35000 from 198.51.100.1
        0.82 < icmp 11/0 port 61021 to 35000 from 198.51.100.2
        expect NP127 no-listener likely target
    """,
    "filters_answers_come_another_way": f"""
        {REFUSED}
        0.02 < RA ttl 64 tos 0 win 0
        0.05 < RA port 61001 ttl 64 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61020 to 35000 ttl 1 [mss]
        0.80 > S port 61021 to 35000 ttl 2 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.82 < icmp 11/0 port 61011 from 198.51.100.2
        0.81 < icmp 11/0 port 61020 to 35000 from 198.51.100.1
        0.82 < icmp 11/0 port 61021 to 35000 from 198.51.100.2
        expect NP128 reset-by-host-firewall likely target
    """,
    "ways_of_different_length": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        0.05 < RA port 61001 ttl 60 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61021 to 35000 ttl 3 [mss]
        0.82 < RA port 61021 to 35000 ttl 60
        expect NP137 reset-by-host-firewall likely target
    """,
    "netfilter_on_the_host": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        0.05 < RA port 61001 ttl 60 win 0
        {CLOSED_CONTROL}
        expect NP112 reset-by-host-firewall certain closed target
    """,
    "filter_before_the_host": f"""
        {REFUSED}
        0.02 < RA ttl 62 tos 0 win 0
        0.05 < RA port 61001 ttl 62 win 0
        {CLOSED_CONTROL}
        expect NP113 reset-on-path certain path
    """,
    "box_before_the_host_with_the_hosts_dscp": f"""
        {REFUSED}
        0.02 < RA ttl 62 tos 0x48 win 0
        {CLOSED_CONTROL}
        expect NP114 reset-on-path likely
    """,
    "nothing_listens": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0x48 win 0
        {CLOSED_CONTROL}
        expect NP110 no-listener certain closed target
    """,
    "forward_that_tells_of_the_expiry": f"""
        {REFUSED}
        0.02 < RA ttl 59 tos 0x48 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61013 ttl 5 [mss]
        0.82 < icmp 11/0 port 61013 from 203.0.113.5
        expect NP104 forward-without-backend closed certain
    """,
    "forward_to_a_machine_whose_filter_resets": f"""
        {REFUSED}
        0.02 < RA ttl 59 tos 0 win 0
        0.05 < RA port 61001 ttl 59 win 0
        {CLOSED_CONTROL}
        0.80 > S port 61013 ttl 5 [mss]
        0.82 < icmp 11/0 port 61013 from 203.0.113.5
        expect NP136 forward-without-backend closed likely
    """,
    "reset_from_behind_the_address": f"""
        {REFUSED}
        0.02 < RA ttl 59 tos 0x48 win 0
        {CLOSED_CONTROL}
        expect NP115 forward-without-backend likely
    """,
    "filters_reset_from_behind_the_address": f"""
        {REFUSED}
        0.02 < RA ttl 59 tos 0 win 0
        {CLOSED_CONTROL}
        expect NP116 forward-without-backend likely
    """,
    "filter_on_the_host_that_knows_no_md5": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        {CLOSED_CONTROL}
        expect NP117 reset-by-host-firewall likely
    """,
    "pf_on_the_host": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0x10 win 0
        {CLOSED_CONTROL}
        expect NP118 reset-by-host-firewall likely
    """,
    "reset_with_another_initial_ttl": f"""
        {REFUSED}
        0.02 < RA ttl 251 tos 0x48 win 0
        {CLOSED_CONTROL}
        expect NP119 reset-on-path likely
    """,
    "nothing_listens_and_md5_is_answered": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0x48 win 0
        0.05 < RA port 61001 ttl 60 tos 0x48 win 0
        {CLOSED_CONTROL}
        expect NP120 no-listener likely
    """,
    "reset_with_our_dscp_and_nothing_to_compare": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0x48 win 0
        expect NP121 no-listener likely
    """,
    "netfilter_and_only_ping_to_compare": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        0.05 < RA port 61001 ttl 60 win 0
        0.05 < reply id 9 ttl 60
        expect NP122 reset-by-host-firewall likely
    """,
    "last_router_resets_everything": f"""
        {REFUSED}
        0.02 < RA ttl 63 tos 0 win 0
        0.05 < RA port 61001 ttl 63 win 0
        0.80 > S port 61010 ttl 1 [mss]
        0.80 > S port 61011 ttl 2 [mss]
        0.80 > S port 61012 ttl 3 [mss]
        0.81 < icmp 11/0 port 61010 from 198.51.100.1
        0.81 < icmp 11/0 port 61011 from 198.51.100.2
        0.82 < RA port 61012 ttl 63 win 0
        expect NP138 reset-on-path likely path
    """,
    "netfilter_and_nothing_to_compare": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        0.05 < RA port 61001 ttl 60 win 0
        expect NP123 reset-by-host-firewall possible
    """,
    "stack_whose_path_clears_the_dscp": f"""
        {REFUSED}
        0.02 < RA ttl 60 tos 0 win 0
        expect NP124 no-listener likely
    """,
    "reset_in_a_strangers_capture": """
        0.0 > S [mss]
        0.1 < RA ttl 60 win 0
        until 3
        expect NP129 no-listener possible closed
    """,
    "refused_without_privilege": """
        target kernel
        0.0 fact started port 40000
        0.02 fact failed ECONNREFUSED
        until 3
        expect NP129 no-listener possible
    """,
    "forwarder_can_not_find_its_backend": """
        0.0 > S [mss]
        1.0 > S [mss]
        3.1 < icmp 3/1 from 203.0.113.5
        until 4
        expect NP130 forward-without-backend certain
    """,
    "box_on_the_path_can_not_find_where_it_sends_the_port": """
        0.0 > S [mss]
        0.1 > echo id 7 seq 1
        0.2 < reply id 7 seq 1 ttl 60
        1.0 > S [mss]
        3.1 < icmp 3/1 from 203.0.113.5 ttl 62
        until 4
        expect NP134 forward-without-backend likely path
    """,
    "machine_behind_a_forward_rejects": """
        0.0 > S [mss]
        0.1 < icmp 3/3 from 203.0.113.5 ttl 59
        0.1 > echo id 7 seq 1
        0.2 < reply id 7 seq 1 ttl 60
        until 3
        expect NP135 rejected-by-host likely
    """,
    "icmp_in_the_hosts_name_from_before_it": """
        0.0 > S [mss]
        0.1 < icmp 3/3 from 203.0.113.5 ttl 62
        0.1 > S port 61000 to 35000 tos 0x48 [mss]
        0.2 < RA port 61000 to 35000 ttl 60 tos 0x48
        until 3
        expect NP131 rejected-on-path likely
    """,
    "host_rejects": """
        0.0 > S [mss]
        0.1 < icmp 3/3 from 203.0.113.5 ttl 60
        until 3
        expect NP132 rejected-by-host certain port-unreach target
    """,
    "host_rejects_with_v6": """
        client 2001:db8::1
        server 2001:db8:5::5
        0.0 > S [mss]
        0.1 < icmp 1/1 from 2001:db8:5::5 ttl 60
        until 3
        expect NP132 rejected-by-host certain admin-prohibited
    """,
    "host_says_host_unreachable_at_once": """
        0.0 > S [mss]
        0.1 < icmp 3/1 from 203.0.113.5
        until 3
        expect NP133 rejected-by-host likely
    """,
    # ------------------------------------------------------------- silence
    "silence_and_a_lossy_capture": f"{SILENCE}\n4 fact drops 3\nexpect NP150 inconclusive",
    "only_the_syn_ack_is_lost": f"""
        {SILENCE}
        3.5 > S seq +33554432 [mss]
        3.6 < A seq 3000000000 ack +0
        expect NP151 reply-filtered certain
    """,
    "silent_forward_that_tells_of_the_expiry": f"""
        {SILENCE}
        3.5 > S port 61013 ttl 5 [mss]
        3.6 < icmp 11/0 port 61013 from 203.0.113.5
        expect NP149 forward-without-backend
    """,
    "router_filter_that_lets_acks_pass": f"""
        {SILENCE}
        {WALK}
        2.00 > S port 61112 ttl 3 [mss]
        0.80 > S port 61022 to 35000 ttl 3 [mss]
        0.81 < icmp 11/0 port 61022 to 35000 from 198.51.100.3
        0.90 > A port 61030 ack 777
        0.92 < R port 61030 seq 777
        expect NP152 syn-filtered likely path
    """,
    "router_filter": f"""
        {SILENCE}
        {WALK}
        2.00 > S port 61112 ttl 3 [mss]
        0.80 > S port 61022 to 35000 ttl 3 [mss]
        0.81 < icmp 11/0 port 61022 to 35000 from 198.51.100.3
        expect NP153 dropped likely path
    """,
    "syn_filter_before_a_closed_port": f"""
        {SILENCE}
        0.6 > F port 61030 tos 0x48
        0.7 < RA port 61030 tos 0x48
        expect NP154 syn-filtered likely
    """,
    "syn_filter_and_a_reset_without_our_dscp": f"""
        {SILENCE}
        0.6 > F port 61030 tos 0x48
        0.7 < RA port 61030 tos 0
        expect NP155 syn-filtered likely
    """,
    "accept_queue_full": f"""
        {SILENCE}
        0.6 > A port 61031 ack 777
        0.7 < R port 61031 seq 777
        0.6 > F port 61030 tos 0x48
        expect NP156 backlog-full likely target
    """,
    "filter_that_follows_connections": f"""
        {SILENCE}
        0.6 > A port 61031 ack 777
        0.6 > SA port 61032 ack 778
        0.7 < R port 61032 seq 778
        expect NP157 dropped likely
    """,
    "only_acks_pass": f"""
        {SILENCE}
        0.6 > A port 61031 ack 777
        0.7 < R port 61031 seq 777
        expect NP158 syn-filtered likely
    """,
    "hosts_own_filter_and_a_patient_scan": f"""
        {SILENCE}
        target patient
        0.5 > S port 61040 [mss,mf]
        0.5 > S port 61041 to 35000 [mss,mf]
        30.5 < icmp 11/1 port 61040 from 203.0.113.5
        until 60
        expect NP160 dropped likely target
    """,
    "filter_before_the_host_and_a_patient_scan": f"""
        {SILENCE}
        target patient
        0.5 > S port 61040 [mss,mf]
        0.5 > S port 61041 to 35000 [mss,mf]
        30.5 < icmp 11/1 port 61041 to 35000 from 203.0.113.5
        until 60
        expect NP161 dropped likely
    """,
    "unprivileged_silence_of_one_port": """
        target kernel
        0.0 fact started id 1 port 40000
        0.5 fact started id 2 port 40001 to 35000
        0.6 fact failed id 2 ECONNREFUSED
        1.5 fact started id 3 port 40003
        3.0 fact started id 4 port 40004
        until 9
        expect NP162 dropped possible
    """,
    "only_ping_is_answered": f"""
        {SILENCE}
        0.4 > S port 61000 to 35000 [mss]
        0.4 > echo id 9
        0.5 < reply id 9
        expect NP163 dropped likely filtered
    """,
    "one_silent_port": f"""
        {SILENCE}
        0.4 > S port 61000 to 35000 [mss]
        0.5 < RA port 61000 to 35000
        expect NP164 dropped likely filtered
    """,
    "unprivileged_silence_everywhere": """
        target kernel
        0.0 fact started id 1 port 40000
        1.5 fact started id 3 port 40003
        3.0 fact started id 4 port 40004
        until 9
        expect NP170 host-silent possible
    """,
    "silence_everywhere": f"""
        {SILENCE}
        {WALK}
        0.4 > S port 61000 to 35000 [mss]
        0.4 > echo id 9
        expect NP171 host-silent possible filtered
    """,
    "silence_not_watched_long_enough": "0.0 > S [mss]\n1.0 > S [mss]\nuntil 3\nexpect NP199 inconclusive unknown",
    # ------------------------------------------------------------- captures of strangers: no probe, one attempt
    "capture_of_the_clients_packets_only": """
        target passive
        direction unknown
        0.00 > S ttl 62 [mss]
        0.02 > A ttl 62
        0.03 > PA ttl 62 "SSH-2.0-x\\r\\n"
        9.00 > who-has 192.0.2.5
        expect NP191 inconclusive possible unknown
    """,
    "capture_of_the_servers_packets_only": """
        target passive
        direction unknown
        0.00 < SA ttl 60
        0.02 < PA ttl 60 "SSH-2.0-x\\r\\n"
        9.00 > who-has 192.0.2.5
        expect NP192 inconclusive possible unknown
    """,
    "server_goes_on_after_a_reset_in_its_name": f"""
        target passive
        {OPEN}{BANNER}
        0.05 < R ttl 241
        0.06 < PA ttl 60 "\\x00\\x00\\x01\\x00\\x0a\\x00kex"
        9.00 > who-has 192.0.2.5
        expect NP326 reset-after-banner certain open path
    """,
    "web_server_goes_on_after_a_reset_in_its_name": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.03 > A
        0.04 > PA "GET / HTTP/1.0\\r\\n\\r\\n"
        0.05 < R ttl 241 id 7
        0.06 < R ttl 241 seq +1460 id 8
        0.07 < PA ttl 60 "HTTP/1.0 200 OK\\r\\n"
        9.00 > who-has 192.0.2.5
        expect NP327 reset-on-path certain open path
    """,
    "client_goes_on_after_a_reset_in_its_name": """
        server 203.0.113.5 80
        target any passive
        direction unknown
        0.00 > S ttl 62 [mss]
        0.00 < SA
        0.03 > A ttl 62
        0.04 > PA ttl 62 "GET / HTTP/1.0\\r\\n\\r\\n"
        0.05 > R ttl 241
        0.06 < PA "HTTP/1.0 200 OK\\r\\n"
        0.07 > PA ttl 62 "more"
        9.00 > who-has 192.0.2.5
        expect NP328 reset-on-path certain open
    """,
    "reset_with_a_ttl_of_its_own_in_a_conversation": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.03 > A
        0.04 > PA "GET / HTTP/1.0\\r\\n\\r\\n"
        0.05 < PA ttl 60 "HTTP/1.0 200 OK\\r\\n"
        0.90 < R ttl 57
        9.00 > who-has 192.0.2.5
        expect NP329 reset-on-path likely open
    """,
    "reset_with_a_ttl_of_its_own_in_a_key_exchange": f"""
        target passive
        {OPEN}{BANNER}{OURS}{KEXINIT}
        0.90 < R ttl 57
        9.00 > who-has 192.0.2.5
        expect NP338 reset-on-path likely open
    """,
    "reset_in_the_clients_name_with_a_ttl_of_its_own": """
        server 203.0.113.5 80
        target any passive
        direction unknown
        0.00 > S ttl 62 [mss]
        0.00 < SA
        0.03 > A ttl 62
        0.04 > PA ttl 62 "GET / HTTP/1.0\\r\\n\\r\\n"
        0.05 < PA "HTTP/1.0 200 OK\\r\\n"
        0.06 > R ttl 241
        9.00 > who-has 192.0.2.5
        expect NP339 reset-on-path likely open
    """,
    "two_resets_with_two_ttls_answer_one_syn": """
        target passive
        0.00 > S [mss]
        0.01 < RA ttl 241
        0.02 < RA ttl 57
        9.00 > who-has 192.0.2.5
        expect NP139 reset-on-path likely closed
    """,
    "container_behind_the_server_resets": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        0.01 < RA ttl 63
        1.00 > S port 40001 to 80 ttl 60 [mss]
        1.01 < SA port 40001 to 80 ttl 64
        9.00 > who-has 192.0.2.5
        expect NP140 forward-without-backend likely closed target
    """,
    "servers_own_capture__stack_resets": """
        target passive
        direction unknown
        0.00 > S ttl 60 tos 0x48 [mss]
        0.01 < RA tos 0x48 win 0
        9.00 > who-has 192.0.2.5
        expect NP141 no-listener likely closed target
    """,
    "servers_own_capture__filter_resets_and_a_closed_port_copies_the_dscp": """
        target passive
        direction unknown
        0.00 > S ttl 60 tos 0x48 [mss]
        0.01 < RA win 0
        0.10 > S port 40001 to 23 ttl 60 tos 0x48 [mss]
        0.11 < RA port 40001 to 23 tos 0x48 win 0
        9.00 > who-has 192.0.2.5
        expect NP142 reset-by-host-firewall likely closed target
    """,
    "servers_own_capture__others_are_let_in": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        0.01 < RA win 0
        0.10 > S port 40001 ttl 60 [mss]
        0.11 < SA port 40001
        0.12 > A port 40001 ttl 60
        9.00 > who-has 192.0.2.5
        expect NP143 reset-by-host-firewall likely closed target
    """,
    "servers_own_capture__reset": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        0.01 < RA win 0
        9.00 > who-has 192.0.2.5
        expect NP144 no-listener possible closed target
    """,
    "client_drops_the_syn_ack_itself": """
        target passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        1.00 > S [mss]
        1.02 < SA ttl 60
        3.00 > S [mss]
        3.02 < SA ttl 60
        9.00 > who-has 192.0.2.5
        expect NP036 local-firewall likely open local
    """,
    "servers_own_capture__syn_ack_is_lost": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        0.01 < SA
        1.00 > S ttl 60 [mss]
        1.01 < SA
        3.00 > S ttl 60 [mss]
        3.01 < SA
        9.00 > who-has 192.0.2.5
        expect NP371 reply-filtered likely filtered
    """,
    "capture_on_the_way__syn_ack_is_lost": """
        target passive
        direction unknown
        0.00 > S ttl 62 [mss]
        0.01 < SA ttl 61
        1.00 > S ttl 62 [mss]
        1.01 < SA ttl 61
        3.00 > S ttl 62 [mss]
        3.01 < SA ttl 61
        9.00 > who-has 192.0.2.5
        expect NP372 reply-filtered likely filtered
    """,
    "servers_own_capture__ack_is_lost": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        0.01 < SA
        1.01 < SA
        3.01 < SA
        9.00 > who-has 192.0.2.5
        expect NP373 handshake-blocked likely filtered
    """,
    "port_scanner_finds_a_port_open": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.02 > R
        9.00 > who-has 192.0.2.5
        expect NP374 up likely open
    """,
    "large_segment_of_the_server_never_arrives": f"""
        target passive
        direction unknown
        0.00 > S ttl 60 [mss,sack]
        0.00 < SA [mss,sack]
        0.03 > A ttl 60
        0.04 < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n"
        0.05 > PA ttl 60 "SSH-2.0-x\\r\\n"
        0.06 < A "{"k" * 1400}"
        0.06 < PA "{"s" * 100}"
        0.09 > A ttl 60 ack -1500 [sacked]
        0.30 < A seq -1500 "{"k" * 1400}"
        0.70 < A seq -1500 "{"k" * 1400}"
        1.50 < A seq -1500 "{"k" * 1400}"
        3.10 < A seq -1500 "{"k" * 1400}"
        9.00 > who-has 192.0.2.5
        expect NP318 path-mtu-black-hole likely open
    """,
    "large_segment_of_the_server_is_never_acknowledged": f"""
        target passive
        direction unknown
        0.00 > S ttl 60 [mss,sack]
        0.00 < SA [mss,sack]
        0.03 > A ttl 60
        0.04 < PA "SSH-2.0-OpenSSH_9.2p1\\r\\n"
        0.05 > PA ttl 60 "SSH-2.0-x\\r\\n"
        0.06 < PA "{"k" * 1100}"
        0.30 < PA seq -1100 "{"k" * 1100}"
        0.70 < PA seq -1100 "{"k" * 1100}"
        1.50 < PA seq -1100 "{"k" * 1100}"
        2.50 > FA ttl 60 ack -1100
        9.00 > who-has 192.0.2.5
        expect NP317 path-mtu-black-hole likely open
    """,
    "client_only_looks_whether_the_port_is_open": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.02 > A
        0.03 > FA
        0.05 < FA ttl 60
        0.05 > A
        9.00 > who-has 192.0.2.5
        expect NP375 up certain open
    """,
    "client_closes_before_the_server_said_a_word": """
        target passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.02 > A
        2.03 > FA
        2.05 < FA ttl 60
        2.05 > A
        9.00 > who-has 192.0.2.5
        expect NP376 inconclusive possible open
    """,
    "what_the_client_says_is_never_acknowledged": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.02 > A
        0.03 > PA "GET / HTTP/1.0\\r\\n\\r\\n"
        0.30 > PA seq -18 "GET / HTTP/1.0\\r\\n\\r\\n"
        0.90 > PA seq -18 "GET / HTTP/1.0\\r\\n\\r\\n"
        9.00 > who-has 192.0.2.5
        expect NP377 handshake-blocked likely open
    """,
    "web_server_takes_the_request_and_says_nothing": """
        server 203.0.113.5 80
        target any passive
        0.00 > S [mss]
        0.02 < SA ttl 60
        0.02 > A
        0.03 > PA "GET / HTTP/1.0\\r\\n\\r\\n"
        0.05 < A ttl 60
        9.00 > who-has 192.0.2.5
        expect NP378 no-banner likely open
    """,
    "identification_of_the_client_never_arrives": f"""
        target passive
        {STALLED}
        0.30 > PA seq -18 "SSH-2.0-netprobe\\r\\n"
        9.00 > who-has 192.0.2.5
        expect NP379 reset-after-banner likely open
    """,
    "key_exchange_does_not_come": f"""
        target passive
        {STALLED}{HEARD}
        9.00 > who-has 192.0.2.5
        expect NP380 path-mtu-black-hole possible open
    """,
    "reset_without_the_dscp_of_a_stranger": """
        target passive
        0.00 > S tos 0x48 [mss]
        0.02 < RA ttl 60 win 0
        9.00 > who-has 192.0.2.5
        expect NP145 reset-by-host-firewall possible closed
    """,
    "servers_own_capture__silence_for_one_client": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        1.00 > S ttl 60 [mss]
        3.00 > S ttl 60 [mss]
        4.00 > S port 40001 ttl 60 [mss]
        4.01 < SA port 40001
        4.03 > A port 40001 ttl 60
        9.00 > who-has 192.0.2.5
        expect NP180 dropped possible filtered target
    """,
    "servers_own_capture__silence_on_one_port": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        1.00 > S ttl 60 [mss]
        3.00 > S ttl 60 [mss]
        4.00 > S port 40001 to 80 ttl 60 [mss]
        4.01 < RA port 40001 to 80
        9.00 > who-has 192.0.2.5
        expect NP181 dropped possible filtered target
    """,
    "servers_own_capture__silence": """
        target passive
        direction server
        0.00 > S ttl 60 [mss]
        1.00 > S ttl 60 [mss]
        3.00 > S ttl 60 [mss]
        9.00 > who-has 192.0.2.5
        expect NP182 dropped possible filtered target
    """,
    "capture_on_the_way__silence_on_one_port": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        1.00 > S ttl 60 [mss]
        3.00 > S ttl 60 [mss]
        4.00 > S port 40001 to 80 ttl 60 [mss]
        4.01 < RA port 40001 to 80 ttl 62
        9.00 > who-has 192.0.2.5
        expect NP183 dropped likely filtered path
    """,
    "capture_on_the_way__silence": """
        target passive
        direction unknown
        0.00 > S ttl 60 [mss]
        1.00 > S ttl 60 [mss]
        3.00 > S ttl 60 [mss]
        9.00 > who-has 192.0.2.5
        expect NP184 host-silent possible filtered path
    """,
    "clients_capture__silence_on_one_port": """
        target passive
        0.00 > S [mss]
        1.00 > S [mss]
        3.00 > S [mss]
        4.00 > S port 40001 to 80 [mss]
        4.01 < SA port 40001 to 80 ttl 62
        9.00 > who-has 192.0.2.5
        expect NP185 dropped likely filtered
    """,
    "clients_capture__silence": """
        target passive
        0.00 > S [mss]
        1.00 > S [mss]
        3.00 > S [mss]
        9.00 > who-has 192.0.2.5
        expect NP186 host-silent possible filtered
    """,
    # ------------------------------------------------------------- a sweep's one SYN
    "sweep_open": """
        target sweep
        0.0 > S tos 0x48 [mss]
        0.02 < SA ttl 60
        expect NP801 up possible open
    """,
    "sweep_open_any_service": """
        server 203.0.113.5 8080
        target any sweep
        0.0 > S tos 0x48 [mss]
        0.02 < SA ttl 60
        expect NP802 up likely open
    """,
    "sweep_reset_as_netfilter_writes_it": """
        target sweep
        0.0 > S tos 0x48 [mss]
        0.02 < RA ttl 60 tos 0 win 0
        expect NP803 reset-by-host-firewall possible closed
    """,
    "sweep_reset_of_another_stack": """
        target sweep
        0.0 > S tos 0x48 [mss]
        0.02 < RA ttl 120 tos 0 win 0 id 77
        expect NP804 no-listener possible closed
    """,
    "sweep_reset_of_a_linux_stack": """
        target sweep
        0.0 > S tos 0x48 [mss]
        0.02 < RA ttl 60 tos 0x48 win 0
        expect NP121 no-listener likely closed
    """,
    "sweep_rejected_by_the_host": """
        target sweep
        0.0 > S tos 0x48 [mss]
        0.02 < icmp 3/3 from 203.0.113.5 ttl 60
        expect NP132 rejected-by-host certain filtered
    """,
    "sweep_silent_beside_a_limit": """
        target sweep
        0.0 > S tos 0x48 [mss]
        1.1 > S tos 0x48 [mss]
        1.2 fact limit 198.51.100.1
        until 4.4
        expect NP805 rejected-on-path possible filtered
    """,
    "sweep_silent": """
        target sweep
        0.0 > S tos 0x48 [mss]
        1.1 > S tos 0x48 [mss]
        until 4.4
        expect NP806 host-silent possible filtered
    """,
}
