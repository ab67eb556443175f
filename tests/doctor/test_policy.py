"""Who is let in: hosts.allow and hosts.deny, AllowUsers and its kin, as their manuals say."""

from __future__ import annotations

import pytest

from netprobe.doctor.checks.policy import denied, matches
from netprobe.doctor.checks.wrappers import decide

SOURCE = "198.51.100.7"


@pytest.mark.parametrize(
    ("allow", "deny", "source", "expected"),
    [
        ([], [], SOURCE, "allowed"),
        ([], ["ALL : ALL"], SOURCE, "denied"),
        (["sshd : 198.51.100."], ["ALL : ALL"], SOURCE, "allowed"),
        (["sshd : 203.0.113."], ["ALL : ALL"], SOURCE, "denied"),
        (["vsftpd : ALL"], ["ALL : ALL"], SOURCE, "denied"),
        ([], ["sshd : 198.51.100.0/255.255.255.0"], SOURCE, "denied"),
        ([], ["sshd : 198.51.100.0/24"], SOURCE, "denied"),
        ([], ["sshd : [2001:db8::]/32"], "2001:db8::7", "denied"),
        ([], ["sshd : [2001:db8::]/32"], SOURCE, "allowed"),
        ([], ["sshd : ALL EXCEPT 198.51.100."], SOURCE, "allowed"),
        ([], ["sshd : ALL EXCEPT 203.0.113."], SOURCE, "denied"),
        ([], ["ALL EXCEPT sshd : ALL"], SOURCE, "allowed"),
        (["sshd : 198.51.100.7 : DENY"], [], SOURCE, "denied"),
        (["ALL : ALL : DENY"], [], None, "denied"),
        ([], ["sshd : .example.com"], SOURCE, "unsure"),
        (["sshd : host.example.com"], ["ALL : ALL"], SOURCE, "unsure"),
        (["sshd : LOCAL"], ["ALL : ALL"], SOURCE, "unsure"),
        ([], ["sshd : 198.51.100.7"], None, "allowed"),
        ([], ["sshd, vsftpd : 203.0.113.1, 198.51.100.7"], SOURCE, "denied"),
        ([], ["nonsense"], SOURCE, "allowed"),
    ],
)
def test_wrappers(allow: list[str], deny: list[str], source: str | None, expected: str) -> None:
    assert decide(allow, deny, source)[0] == expected


@pytest.mark.parametrize(
    ("config", "user", "groups", "source", "keyword", "sure"),
    [
        ({}, "alice", (), SOURCE, "", False),
        ({"allowusers": ("bob",)}, "alice", (), SOURCE, "AllowUsers", True),
        ({"allowusers": ("bob", "al*")}, "alice", (), SOURCE, "", False),
        ({"allowusers": ("alice@198.51.100.0/24",)}, "alice", (), SOURCE, "", False),
        ({"allowusers": ("alice@203.0.113.0/24",)}, "alice", (), SOURCE, "AllowUsers", True),
        ({"allowusers": ("alice@198.51.100.*",)}, "alice", (), SOURCE, "", False),
        ({"allowusers": ("alice@203.0.113.0/24",)}, "alice", (), None, "AllowUsers", False),
        ({"denyusers": ("alice",)}, "alice", (), None, "DenyUsers", True),
        ({"denyusers": ("alice",), "allowusers": ("alice",)}, "alice", (), None, "DenyUsers", True),
        ({"denyusers": ("alice@203.0.113.9",)}, "alice", (), SOURCE, "", False),
        ({"denygroups": ("users",)}, "alice", ("users",), SOURCE, "DenyGroups", True),
        ({"allowgroups": ("wheel",)}, "alice", ("users",), SOURCE, "AllowGroups", True),
        ({"allowgroups": ("wheel", "u?ers")}, "alice", ("users",), SOURCE, "", False),
        ({"allowusers": ("alice@bastion.example.com",)}, "alice", (), SOURCE, "AllowUsers", False),
    ],
)
def test_policy(
    config: dict[str, tuple[str, ...]], user: str, groups: tuple[str, ...], source: str | None, keyword: str, sure: bool
) -> None:
    said, certain = denied(config, user, groups, source)
    assert said.startswith(keyword) if keyword else not said
    assert certain is sure


def test_a_pattern_with_an_exclamation_mark_takes_away() -> None:
    assert matches("!alice", "alice", None) is False
