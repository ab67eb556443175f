"""Real servers, healthy and broken: what is done to each, and what doctor must say, first of all and altogether.

House rules of this file:
1. `findings` are all findings in their order: the first is what is wrong, the rest is what follows from it.
2. A reason that isn't named must not be ruled in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.doctor.server import CLIENT, OTHER, V4, V6

UP = "start; until_listening 22"
WHO = ("--user", "alice", "--source", CLIENT)
DOWN, WRONG, CLOSED, FIREWALL, MISSING = (
    "daemon-down",
    "wrong-port-or-credentials",
    "port-closed",
    "firewall",
    "not-installed",
)
# A client's connection that says nothing, held open by a process of its own.
HOLD = f"hold() {{ for _ in $(seq $1); do (exec 3<>/dev/tcp/{V4}/22; sleep 60) & done; }}"
BAN_TABLE = "CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER, bancount INTEGER, data JSON)"


@dataclass(frozen=True)
class Scenario:
    """One server. `says` must be in the first finding, `remedy` in what it tells to do, `needs` is a command that
    must succeed."""

    name: str
    script: str
    findings: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    says: str = ""
    remedy: str = ""
    arguments: tuple[str, ...] = WHO
    needs: str = ""
    partly: tuple[str, ...] = ()
    prefix: str = ""
    unknown: tuple[str, ...] = field(default=("ND412",))  # no log in the lab


def nft(*rules: str, hook: str = "input", policy: str = "accept", family: str = "inet") -> str:
    """A base chain with rules."""
    body = "; ".join([f"type filter hook {hook} priority 0; policy {policy}", *rules])
    return f"{UP}\nnft -f - <<'END'\ntable {family} t {{ chain c {{ {body}; }}; }}\nEND"


HEALTHY = (
    Scenario("healthy", UP),
    Scenario("healthy, any client", UP, arguments=()),
    Scenario("healthy, another port that is asked for", "config 'Port 2222'; start; until_listening 2222", arguments=("--port", "2222", *WHO)),
    Scenario("healthy, behind a firewall that lets in", nft("ct state established accept", "iif lo accept", "tcp dport 22 accept", policy="drop")),
    Scenario("healthy, with a firewall against others", nft("ip saddr 203.0.113.0/24 drop")),
    Scenario("healthy, others are banned", UP + "\nmkdir -p /etc/fail2ban"),
    Scenario("healthy, hosts.deny names others", UP + "\necho 'sshd : 203.0.113.9' > /etc/hosts.deny"),
    Scenario("healthy, a link-local address has no meaning", UP + "\nip addr del " + V6 + "/64 dev eth0"),
    Scenario("healthy, bob's rule", "config 'AllowUsers bob alice'; " + UP),
    Scenario("healthy, keys only", "config 'PasswordAuthentication no'; " + UP),
    Scenario("healthy, redirected to where sshd listens", "config 'Port 2222'; start; until_listening 2222\n"
             "nft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; add rule ip n p tcp dport 22 redirect to :2222'",
             arguments=("--port", "2222", *WHO)),
)  # fmt: skip

BROKEN = (
    # the daemon
    Scenario("stopped", ":", ("ND104", "ND201"), (DOWN, CLOSED), "not running", "sshd"),
    Scenario("program gone", "mount --bind /dev/null /usr/sbin/sshd", ("ND101", "ND201"), (MISSING, CLOSED), "program is gone", "apt-get"),
    Scenario("bad configuration", "config 'Prot 22'", ("ND106", "ND104", "ND201"), (DOWN, CLOSED), "Bad configuration option: Prot", "-t"),
    Scenario("bad configuration behind a daemon that runs", UP + "; config 'Prot 22'", ("ND106",), (), "Prot", partly=(DOWN,)),
    Scenario("no host keys, down", "rm /etc/ssh/ssh_host_*", ("ND107", "ND104", "ND201"), (DOWN, CLOSED), "no host key", "ssh-keygen -A"),
    Scenario("host keys gone behind a daemon that runs", UP + "; rm /etc/ssh/ssh_host_*", ("ND107",), (DOWN,), "no host key", "ssh-keygen -A"),
    Scenario("host keys for all to read", "chmod 644 /etc/ssh/ssh_host_*", ("ND107", "ND104", "ND201"), (DOWN, CLOSED), "read by others", "chmod 600"),
    Scenario("no folder for privilege separation", UP + "; rmdir /run/sshd", ("ND108",), (DOWN,), "/run/sshd is missing", "install -d"),
    Scenario("no folder for privilege separation, down", "rmdir /run/sshd", ("ND108", "ND104", "ND201"), (DOWN, CLOSED), "does not start"),
    Scenario("folder of privilege separation for all to write", "chmod 777 /run/sshd", ("ND108", "ND104", "ND201"), (DOWN, CLOSED), "writable"),
    Scenario("program replaced", "cp /usr/sbin/sshd /run/sshd.old; cp -p /run/sshd.old /run/new; mount --bind /run/new /usr/sbin/sshd\n"
             + UP + "; umount -l /usr/sbin/sshd; rm /run/new", ("ND109",), (), "replaced", "sshd", partly=(DOWN,)),
    Scenario("daemon stopped by a signal", UP + "; kill -STOP $(pgrep -o -x sshd)", ("ND104",), (DOWN,), "is stopped", "kill -CONT"),
    Scenario("accept queue full", "echo 1 > /proc/sys/net/core/somaxconn\n" + HOLD + "\n" + UP
             + "; kill -STOP $(pgrep -o -x sshd); hold 4; n=0; until ss -Hltn | grep -q '^LISTEN 2 '; do n=$((n+1)); [ $n -lt 400 ] || break; sleep 0.02; done",
             ("ND104", "ND208"), (DOWN,), "is stopped"),
    Scenario("MaxStartups reached", "config 'MaxStartups 2:100:2' 'LoginGraceTime 60'\n" + HOLD + "\n" + UP
             + "; hold 2; n=0; until grep -qa '2 of 2-2' /proc/$(pgrep -o -x sshd)/cmdline; do n=$((n+1)); [ $n -lt 400 ] || break; sleep 0.02; done",
             ("ND410",), (DOWN,), "2 logins are under way", "MaxStartups"),
    # where it listens
    Scenario("another port", "config 'Port 2222'; start; until_listening 2222", ("ND202", "ND201"), (WRONG, CLOSED), "2222, not on 22", "ssh -p 2222"),
    Scenario("loopback only", "config 'ListenAddress 127.0.0.1' 'ListenAddress ::1'; " + UP, ("ND204",), (CLOSED,), "loopback", "ListenAddress"),
    Scenario("IPv4 only", "config 'AddressFamily inet'; " + UP, ("ND205",), (), "IPv4 only", "AddressFamily any", arguments=(), partly=(CLOSED,)),
    Scenario("IPv6 only", "config 'AddressFamily inet6'; " + UP, ("ND205",), (CLOSED,), "IPv6 only", "AddressFamily any"),
    Scenario("one address of two", f"ip addr add {OTHER}/24 dev eth0; config 'ListenAddress {V4}' 'ListenAddress [{V6}]'; " + UP,
             ("ND204",), (), "some addresses", "ListenAddress", partly=(CLOSED,)),
    Scenario("an address that isn't there", "config 'ListenAddress 203.0.113.9'", ("ND207", "ND104", "ND201"), (DOWN, CLOSED), "203.0.113.9"),
    Scenario("port changed, not restarted", UP + "; config 'Port 2222'", ("ND206", "ND202", "ND201"), (WRONG, CLOSED), "does not listen there",
             "sshd", arguments=("--port", "2222", *WHO)),
    Scenario("port changed, not restarted, the old one asked for", UP + "; config 'Port 2222'", ("ND206",), (), "2222", partly=(WRONG,)),
    Scenario("another program has the port", "python3 -m http.server 22 >/dev/null 2>&1 & until_listening 22", ("ND203", "ND104", "ND205"), (DOWN, WRONG),
             "held by python3", "ss -ltnp", partly=(CLOSED,), arguments=()),
    Scenario("port of the command line", "start -p 2222; until_listening 2222", ("ND202", "ND201"), (WRONG, CLOSED), "2222, not on 22"),
    Scenario("configuration of the command line", "cp /etc/ssh/sshd_config /etc/other; echo 'AllowUsers bob' >> /etc/other; start -f /etc/other; until_listening 22",
             ("ND405",), (WRONG,), "AllowUsers bob"),
    # what stands before it
    Scenario("nft drop", nft("tcp dport 22 counter drop"), ("ND301",), (FIREWALL,), "drops it", "nft delete rule inet t c handle"),
    Scenario("nft policy drop", nft("ct state established accept", policy="drop"), ("ND301",), (FIREWALL,), "policy of inet t c", "tcp dport 22 accept"),
    Scenario("nft reset", nft("tcp dport 22 reject with tcp reset"), ("ND301",), (FIREWALL,), "tcp reset", "handle"),
    Scenario("nft reject of one client", nft(f"ip saddr {CLIENT} reject"), ("ND301",), (FIREWALL,), "rejects it with icmp", "handle"),
    Scenario("nft drop of IPv6", nft("tcp dport 22 drop", family="ip6"), ("ND301",), (FIREWALL,), "IPv6", arguments=()),
    Scenario("answers dropped", nft("tcp sport 22 drop", hook="output"), ("ND302",), (FIREWALL,), "does not get out", "handle"),
    Scenario("iptables REJECT", UP + "; iptables -A INPUT -p tcp --dport 22 -j REJECT", ("ND301",), (FIREWALL,), "reject", "iptables"),
    Scenario("iptables-legacy DROP", UP + "; iptables-legacy -A INPUT -p tcp --dport 22 -j DROP", ("ND301",), (FIREWALL,), "drop", "iptables-legacy -D INPUT 1", needs="iptables-legacy -S"),
    Scenario("ip6tables policy", UP + "; ip6tables -P INPUT DROP", ("ND301",), (FIREWALL,), "IPv6", "ip6tables -I INPUT", arguments=()),
    Scenario("a chain like ufw's", UP + "; iptables -N ufw-user-input; iptables -A INPUT -j ufw-user-input; iptables -A ufw-user-input -p tcp --dport 22 -j DROP",
             ("ND301",), (FIREWALL,), "drop", "ufw"),
    Scenario("a chain like fail2ban's", UP + f"; iptables -N f2b-sshd; iptables -A INPUT -p tcp --dport 22 -j f2b-sshd; "
             f"iptables -A f2b-sshd -s {CLIENT} -j REJECT", ("ND301",), (FIREWALL,), "reject", f"fail2ban-client set sshd unbanip {CLIENT}"),
    Scenario("banned in fail2ban's database", UP + "\nmkdir -p /etc/fail2ban /run/lib/fail2ban; mount --bind /run/lib /var/lib; python3 -c \"\nimport sqlite3, time\n"
             f"d = sqlite3.connect('/var/lib/fail2ban/fail2ban.sqlite3'); d.execute('{BAN_TABLE}')\n"
             f"d.execute('INSERT INTO bips VALUES (?, ?, ?, ?, 1, NULL)', ('{CLIENT}', 'sshd', int(time.time()) - 60, 600)); d.commit()\"",
             ("ND304",), (FIREWALL,), "banned by fail2ban", f"unbanip {CLIENT}"),
    Scenario("redirected to a port without a listener", UP + "\nnft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; "
             "add rule ip n p tcp dport 22 redirect to :9'", ("ND303",), (FIREWALL, WRONG), "redirected to", "nft delete rule"),
    Scenario("forwarded to another machine", UP + "; echo 1 > /proc/sys/net/ipv4/ip_forward\n"
             "nft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; add rule ip n p tcp dport 22 dnat to 198.51.100.99'",
             ("ND303",), (), "forwarded to 198.51.100.99", "ssh -p 22", partly=(FIREWALL, WRONG)),
    Scenario("translated, and nobody forwards", UP + "\nnft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; "
             "add rule ip n p tcp dport 22 dnat to 198.51.100.99'", ("ND301",), (FIREWALL,), "does not forward", "sysctl -w net.ipv4.ip_forward=1"),
    Scenario("hosts.deny", UP + "; echo 'ALL : ALL' > /etc/hosts.deny", ("ND306",), (FIREWALL,), "TCP wrappers", "hosts.allow"),
    Scenario("hosts.deny of a network", UP + "; echo 'sshd : 198.51.100.0/255.255.255.0' > /etc/hosts.deny", ("ND306",), (FIREWALL,), CLIENT),
    # who is let in
    Scenario("no such account", UP, ("ND401",), (WRONG,), "no account mallory", "useradd", arguments=("--user", "mallory", "--source", CLIENT)),
    Scenario("AllowUsers", "config 'AllowUsers bob'; " + UP, ("ND405",), (WRONG,), "AllowUsers bob", "sshd_config"),
    Scenario("DenyUsers of an address", f"config 'DenyUsers alice@198.51.100.0/24'; {UP}", ("ND405",), (WRONG,), "DenyUsers"),
    Scenario("AllowGroups", "config 'AllowGroups wheel'; " + UP, ("ND405",), (WRONG,), "AllowGroups wheel"),
    Scenario("AllowUsers in a Match", f"config 'Match Address {CLIENT}' 'AllowUsers bob'; {UP}", ("ND405",), (WRONG,), "AllowUsers bob"),
    Scenario("nologin shell", UP + "; sed -i '/^alice:/s|/bin/bash|/usr/sbin/nologin|' /etc/passwd", ("ND402",), (WRONG,), "no login shell", "usermod"),
    Scenario("shell that isn't there", UP + "; sed -i '/^alice:/s|/bin/bash|/bin/zoosh|' /etc/passwd", ("ND402",), (WRONG,), "does not exist", "usermod"),
    Scenario("account expired", UP + "; sed -i '/^alice:/s|:::$|::100:|' /etc/shadow", ("ND403",), (WRONG,), "expired", "chage -E -1"),
    Scenario("locked, without PAM", "sed -i s/UsePAM.*/UsePAM\\ no/ /etc/ssh/sshd_config; sed -i '/^alice:/s|\\$y|!$y|' /etc/shadow; " + UP, ("ND403",), (WRONG,), "locked"),
    Scenario("/etc/nologin", UP + "; : > /etc/nologin", ("ND404",), (WRONG,), "everybody but root", "rm"),
    Scenario("root is not wanted", "config 'PermitRootLogin no'; " + UP, ("ND406",), (WRONG,), "PermitRootLogin is no", arguments=("--user", "root"), partly=()),
    Scenario("keys only, and none", "config 'PasswordAuthentication no'; rm /home/alice/.ssh/authorized_keys; " + UP, ("ND407",), (WRONG,), "no way in", "ssh-copy-id"),
    Scenario("every method off", "config 'PasswordAuthentication no' 'PubkeyAuthentication no'; " + UP, ("ND407",), (WRONG,), "every method"),
    Scenario("home for the group to write", UP + "; chmod g+w /home/alice", ("ND408",), (), "ignores the keys of alice", "chmod go-w /home/alice", partly=(WRONG,)),
    Scenario("keys of somebody else", "config 'PasswordAuthentication no'; chown 4711 /home/alice/.ssh/authorized_keys; " + UP, ("ND408",), (WRONG,), "ignores", "chown alice"),
    Scenario("no home", UP + "; rm -r /home/alice", ("ND409",), (), "home folder", "mkhomedir_helper", partly=(WRONG,)),
    # the machine
    Scenario("no address", UP + "; ip addr flush dev eth0", ("ND501", "ND502"), (CLOSED,), "no address", "ip", unknown=("ND301", "ND412")),
    Scenario("no way back", UP + "; ip route del default", ("ND502",), (), "no way back to 203.0.113.77", "ip route", arguments=("--user", "alice", "--source", "203.0.113.77")),
    Scenario("disk full", "mount -o remount,size=64k /home; head -c 200k /dev/zero > /home/alice/big 2>/dev/null || true; " + UP, ("ND504",), (), "is full", "du"),
)  # fmt: skip

SCENARIOS = HEALTHY + BROKEN
