"""Names that firewalls give to numbers: services, protocols, flags, ICMP codes, DSCP, address types."""

from __future__ import annotations

TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "ece": 64, "cwr": 128}
CT_STATE = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
CT_STATUS = {
    "expected": 1,
    "seen-reply": 2,
    "assured": 4,
    "confirmed": 8,
    "snat": 16,
    "dnat": 32,
    "dying": 512,
    "seen_reply": 2,
}
PROTOCOLS = {
    "ip": 0,
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ospf": 89,
    "ipip": 94,
    "vrrp": 112,
    "comp": 108,
    "sctp": 132,
    "udplite": 136,
    "mptcp": 262,
}
NFPROTO = {"ipv4": 2, "ipv6": 10, "ip": 2, "ip6": 10}
ETHER_TYPE = {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "vlan": 0x8100, "8021q": 0x8100}
FIB_TYPE = {
    "unspec": 0,
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
    "throw": 9,
    "nat": 10,
}
PACKET_TYPE = {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}
DIRECTION = {"original": 0, "reply": 1}
DSCP = {
    **{f"cs{n}": 8 * n for n in range(8)},
    **{f"af{c}{d}": 8 * c + 2 * d for c in (1, 2, 3, 4) for d in (1, 2, 3)},
    "ef": 46,
    "be": 0,
    "df": 0,
    "lephb": 1,
    "le": 1,
    "va": 44,
    "voice-admit": 44,
}
SERVICES = {
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "www": 80,
    "pop3": 110,
    "ntp": 123,
    "imap": 143,
    "imap2": 143,
    "snmp": 161,
    "https": 443,
    "submission": 587,
    "ldap": 389,
    "ldaps": 636,
    "imaps": 993,
    "pop3s": 995,
    "mysql": 3306,
    "postgresql": 5432,
    "rsync": 873,
    "microsoft-ds": 445,
    "netbios-ssn": 139,
    "sunrpc": 111,
    "nfs": 2049,
    "http-alt": 8080,
    "xmpp-client": 5222,
}
# What a reject sends: (type, code). nft's names, then iptables' (libipt_REJECT.c, libip6t_REJECT.c).
ICMP4 = {
    "net-unreachable": (3, 0),
    "host-unreachable": (3, 1),
    "prot-unreachable": (3, 2),
    "port-unreachable": (3, 3),
    "net-prohibited": (3, 9),
    "host-prohibited": (3, 10),
    "admin-prohibited": (3, 13),
}
ICMP6 = {
    "no-route": (1, 0),
    "admin-prohibited": (1, 1),
    "addr-unreachable": (1, 3),
    "port-unreachable": (1, 4),
    "policy-fail": (1, 5),
    "reject-route": (1, 6),
}
# icmpx, one name for both versions (nf_tables_core: nft_reject_icmp_code, nft_reject_icmpv6_code).
ICMPX = {
    4: {"no-route": (3, 0), "port-unreachable": (3, 3), "host-unreachable": (3, 1), "admin-prohibited": (3, 13)},
    6: {"no-route": (1, 0), "port-unreachable": (1, 4), "host-unreachable": (1, 3), "admin-prohibited": (1, 1)},
}
IPTABLES_REJECT = {
    4: {
        "icmp-net-unreachable": (3, 0),
        "net-unreach": (3, 0),
        "icmp-host-unreachable": (3, 1),
        "host-unreach": (3, 1),
        "icmp-proto-unreachable": (3, 2),
        "proto-unreach": (3, 2),
        "icmp-port-unreachable": (3, 3),
        "port-unreach": (3, 3),
        "icmp-net-prohibited": (3, 9),
        "net-prohib": (3, 9),
        "icmp-host-prohibited": (3, 10),
        "host-prohib": (3, 10),
        "icmp-admin-prohibited": (3, 13),
        "admin-prohib": (3, 13),
    },
    6: {
        "icmp6-no-route": (1, 0),
        "no-route": (1, 0),
        "icmp6-adm-prohibited": (1, 1),
        "adm-prohibited": (1, 1),
        "icmp6-addr-unreachable": (1, 3),
        "addr-unreach": (1, 3),
        "icmp6-port-unreachable": (1, 4),
        "port-unreach": (1, 4),
        "icmp6-policy-fail": (1, 5),
        "policy-fail": (1, 5),
        "icmp6-reject-route": (1, 6),
        "reject-route": (1, 6),
    },
}
