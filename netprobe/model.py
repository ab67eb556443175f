"""The nouns of netprobe: what a wire delivers, what a prober asks for, what a verdict holds.

House rules of this file:
1. Frozen dataclasses and enums only; no logic beyond what a noun knows about itself.
2. Nothing of netprobe is imported here.
3. Addresses are canonical text (RFC 5952 for IPv6), times are integer nanoseconds since the epoch,
   and a field that does not apply is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# --------------------------------------------------------------------------- words of a verdict


class State(StrEnum):
    """nmap's word for a port."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    """How far the evidence goes; see docs/causes.md for what each promises."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


class OriginKind(StrEnum):
    """Who made the refusal."""

    TARGET = "target"
    PATH = "path"
    LOCAL = "local"
    RESOLVER = "resolver"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """Where the packets came from: crafted probes, ordinary sockets, or a file."""

    RAW = "raw"
    CONNECT = "connect"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a TCP connection."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


# --------------------------------------------------------------------------- what a wire delivers
#
# A wire delivers records in order: frames, and facts that no packet can show (what the resolver said, what
# connect() returned). Both are numbered in one sequence from 1, the numbers Wireshark shows for the saved file:
# facts are written as systemd journal entries, which Wireshark counts as frames.


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured packet, as it came from the link.

    `link_type` is a LINKTYPE_ number (https://www.tcpdump.org/linktypes.html); `outgoing` is None where the
    capture doesn't say; `length` is the length on the wire, which `data` may fall short of (snapped).
    """

    number: int
    time_ns: int
    link_type: int
    data: bytes
    length: int
    outgoing: bool | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something a scan learnt that no packet shows. Subclasses say what."""

    number: int = 0
    time_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFact(Fact):
    """A scan begins to look at one address and port of a target. One verdict will be given for it.

    `banner_wait_ns`: how long an open connection may stay silent before that counts as an answer.
    """

    target: str
    address: str | None
    port: int
    expect: str = "ssh"
    mode: Mode = Mode.RAW
    patient: bool = False
    banner_wait_ns: int = 12_000_000_000
    sweep: bool = False  # one SYN, repeated while it is silent, and nothing else is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledFact(Fact):
    """A scan stopped looking at this target: the moment its verdict was given. `complete` is False when interrupted."""

    target: str
    address: str | None
    port: int
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFact(Fact):
    """What name resolution said. `outcome`: ok, not-found (NXDOMAIN), no-address (the name exists without A or AAAA),
    server-failure (SERVFAIL, REFUSED), time-out, failed (anything else)."""

    name: str
    outcome: str
    addresses: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFact(Fact):
    """The kernel's route to `address`. `outcome`: ok, local (the address is our own), no-route, unreachable,
    prohibited,
    blackhole, broadcast, multicast. `gateway` is None on-link."""

    address: str
    outcome: str
    interface: str | None = None
    source: str | None = None
    gateway: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborFact(Fact):
    """The kernel's neighbour entry of a next hop changed. `state`: incomplete, reachable, failed (ip-neighbour(8))."""

    address: str
    state: str
    link_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """An ICMP error as the kernel's error queue tells it (IP_RECVERR, ip(7))."""

    version: int
    type: int
    code: int
    sender: str
    ttl: int | None = None
    tos: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFact(Fact):
    """Something happened to an ordinary connect() of ours.

    `event`: started, open, failed (`error` has the errno name), icmp (`icmp` has the error-queue entry; `error` its
    errno),
    data (`data`) and said (by us): only without privilege, where no frames are captured; closed (by the peer: `error`
    is None for FIN, else
    the errno name), given-up (by us, after waiting).
    `id` is unique in a scan. `client` is None when no local port was assigned. `ttl` and `mss` are None unless the
    connection was limited on purpose.
    """

    id: int
    server: Endpoint
    event: str
    client: Endpoint | None = None
    error: str | None = None
    icmp: IcmpError | None = None
    data: bytes = b""
    ttl: int | None = None
    mss: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedFact(Fact):
    """A crafted probe could not leave: the kernel refused to send it. `error` is the errno name: EPERM is netfilter's
    OUTPUT
    hook (raw sockets only), ENETDOWN a link that went down."""

    address: str
    port: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFact(Fact):
    """The state of an interface changed while the scan ran: `state` is up or down."""

    interface: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFact(Fact):
    """A sweep found that `sender` limits its ICMP errors: it rejects others of the neighbourhood of `address`, and no
    more than about `per_s` a second."""

    address: str
    sender: str
    per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFact(Fact):
    """The kernel dropped `count` packets of this capture since the last such fact (PACKET_STATISTICS, packet(7))."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMethodsFact(Fact):
    """What a server said when it was asked, on connection `id`, which methods it takes (a `none` request, RFC 4252
    5.2).

    `outcome`: answered (`methods`); let-in (it asks for nothing at all); no-common-algorithm; closed (by the server,
    before it answered); failed (anything else, `detail` says what); time-out. `banner` is the text that it shows before
    a login, cut to a few lines, unescaped. `signatures`: its server-sig-algs (RFC 8308 3.1), empty where not told.
    """

    id: int
    address: str
    port: int
    user: str
    outcome: str
    methods: tuple[str, ...] = ()
    banner: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class IdentityFile:
    """A private key that ssh would try, by its file's name and status alone: its content is never read.

    `path` as ssh prints it. `state`: usable, missing, public-only (its `.pub` is there, the private half can only be
    in an agent), unreadable (for this user), too-open (others may read it: ssh ignores it, `mode` says why), unknown (a
    name that only ssh itself can complete). `configured`: the user named it, it is none of ssh's usual files. `type`,
    `fingerprint`: of the public key beside it (`.pub`), None without one.
    """

    path: str
    state: str
    configured: bool = False
    mode: int | None = None
    type: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A public key that the user's agent holds. `fingerprint` as `ssh-add -l` prints it."""

    type: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsFact(Fact):
    """What the user's ssh would log in with, by its own configuration (`ssh -G`), key files and agent.

    `target` is that of TargetFact; `name` what ssh was asked about, `port` where it would go, `user` whom it would log
    in as and `user_from` why: asked (typed), configured (ssh_config), own (the name of whoever runs this). `agent`:
    none (no agent is named), off (IdentityAgent none), dead (nobody answers at `agent_path`), refused (it may not be
    talked to), unknown, reachable. `pubkey`, `password`, `interactive`: whether ssh would try that method at all.
    `accepted`: the algorithms that ssh signs with (PubkeyAcceptedAlgorithms). `certificates`: CertificateFile lines.
    """

    target: str
    name: str
    user: str
    user_from: str
    port: int = 22
    files: tuple[IdentityFile, ...] = ()
    agent: str = "none"
    agent_path: str = ""
    agent_keys: tuple[AgentKey, ...] = ()
    identities_only: bool = False
    pubkey: bool = True
    password: bool = True
    interactive: bool = True
    preferred: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    certificates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOfferFact(Fact):
    """What a client on this machine would offer a server, which a scan's own connection doesn't say.

    `target` is that of TargetFact. `local`: asked of the ssh that is here (`ssh -G`), else a default that `whose`
    names. `knows`: every name that it could be told to offer (`ssh -Q`), empty where that was not asked.
    """

    target: str
    whose: str
    local: bool
    offer: Offer
    knows: tuple[str, ...] = ()


Record = Frame | Fact


# --------------------------------------------------------------------------- what a prober asks a wire for


class Shape(StrEnum):
    """Kinds of crafted packets. What each looks like is in wire/codec.py; what each proves is in docs/design.md."""

    SYN = "syn"  # options as the Linux kernel sends them
    BARE_SYN = "bare-syn"  # no options at all
    MD5_SYN = "md5-syn"  # with the TCP-MD5 option of RFC 2385 and a signature nobody can verify
    ACK = "ack"
    FIN = "fin"
    SYN_ACK = "syn-ack"
    RST = "rst"  # takes our own half-open entry away
    ECHO = "echo"  # ICMP echo request
    FRAGMENT = "fragment"  # first fragment of a SYN whose rest is never sent


@dataclass(frozen=True, slots=True)
class Probe:
    """One crafted packet. `ttl` None means the default of 64; for ECHO, `client.port` is the identifier and `seq` the
    sequence number."""

    shape: Shape
    client: Endpoint
    server: Endpoint
    seq: int = 0
    ack: int = 0
    ttl: int | None = None
    tos: int = 0x48


@dataclass(frozen=True, slots=True)
class Connect:
    """Start an ordinary connect(). `patience_s`: how long to leave a SYN unanswered before giving up."""

    id: int
    server: Endpoint
    patience_s: float
    ttl: int | None = None
    mss: int | None = None
    source_port: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """Send bytes on an open connection."""

    id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the SSH server on an open connection, on which identifications were exchanged, which methods of login it
    takes. The answer is an AuthMethodsFact; it always comes."""

    id: int
    server: Endpoint
    user: str


@dataclass(frozen=True, slots=True)
class Hang:
    """Close a connection of ours (FIN), or give up a pending one."""

    id: int


Command = Probe | Connect | Say | Ask | Hang


# --------------------------------------------------------------------------- what a verdict holds


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made the refusal. `hop` counts routers from 1; `between` bounds the place when no single box can be named
    (None in the pair where the next hop's address is unknown)."""

    kind: OriginKind
    address: str | None = None
    hop: int | None = None
    between: tuple[str | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A rival cause: why it remains, and what would settle it."""

    cause: str
    because: str
    settle: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A record the verdict rests on. `frame` is its number in the saved file."""

    frame: int
    time_ns: int
    what: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One router of the path; `address` is None for one that didn't answer."""

    hop: int
    address: str | None
    rtt_ms: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The name-lists of one KEXINIT, most wanted first, as sent (RFC 4253 7.1). Names that stand for no algorithm
    (`ext-info-c`, `kex-strict-s-v00@openssh.com`) are still in `kex`. A list that was too long to keep is cut."""

    kex: tuple[str, ...] = ()
    host_key: tuple[str, ...] = ()
    cipher_to_server: tuple[str, ...] = ()
    cipher_to_client: tuple[str, ...] = ()
    mac_to_server: tuple[str, ...] = ()
    mac_to_client: tuple[str, ...] = ()
    compression_to_server: tuple[str, ...] = ()
    compression_to_client: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreed:
    """What two offers have in common: one name each, None where there is none. With a cipher that authenticates by
    itself the MAC is `<implicit>`, as OpenSSH prints it."""

    kex: str | None = None
    host_key: str | None = None
    cipher_to_server: str | None = None
    cipher_to_client: str | None = None
    mac_to_server: str | None = None
    mac_to_client: str | None = None
    compression_to_server: str | None = None
    compression_to_client: str | None = None


class Reached(StrEnum):
    """How far a key exchange came, the side that came further counting."""

    IDENTIFICATION = "identification"
    KEXINIT = "kexinit"
    REPLY = "reply"  # the server's, with its host key
    NEWKEYS = "newkeys"


@dataclass(frozen=True, slots=True)
class Disconnect:
    """SSH_MSG_DISCONNECT in clear (RFC 4253 11.1). `by`: client or server."""

    by: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Kex:
    """The clear part of an SSH session: both identifications and offers, what they have in common, how far it came.

    `client_offer` is what the client sent; in a scan of our own, which offers nothing, what `compared_with` names (the
    local ssh or a dated default). `agreed` is None unless both offers are known whole; `missing` are the fields of
    `Offer` that have nothing in common, in the order of RFC 4253 7.1. `newkeys`: the sides that sent NEWKEYS,
    `encrypted`: those that sent something after it.
    `closed_by` (client, server) and `closed_with` (fin, reset) are None while it is open. `gap`: bytes are missing in
    the capture, so that what follows them is not known. `trouble` says what in the stream is no SSH, in words.
    """

    reached: Reached = Reached.IDENTIFICATION
    client: str | None = None  # identification strings
    server: str | None = None
    client_offer: Offer | None = None
    server_offer: Offer | None = None
    agreed: Agreed | None = None
    missing: tuple[str, ...] = ()
    compared_with: str | None = None
    host_key_type: str | None = None
    fingerprint: str | None = None  # `SHA256:...` as OpenSSH prints it
    newkeys: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
    disconnect: Disconnect | None = None
    closed_by: str | None = None
    closed_with: str | None = None
    gap: bool = False
    trouble: str | None = None


class Outcome(StrEnum):
    """What became of a login."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # attempts were refused, then one side closed
    NO_METHOD = "no-method"  # the client had none that the server takes
    TOO_MANY = "too-many"  # the server closed after its limit
    SECOND_FACTOR = "second-factor"  # partial success, then no further
    LEFT = "left"  # the client closed before anything was refused
    TIMED_OUT = "timed-out"  # the server closed while the client kept it waiting
    UNFINISHED = "unfinished"  # still going on when it was last seen
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Auth:
    """What became of the login. `certainty` is that of `outcome`, the others have their own; None where the value is.

    `reason` says why the outcome is unknown, or what it rests on. `attempts` counts real ones (the client's `none`
    isn't). `methods` are the server's; `methods_or` other lists of the same size. `key_accepted`: a key was found
    acceptable before it was signed with. `partial`: one factor passed, another was asked for. `inferred`: from sizes of
    encrypted packets, not from the server's own words.
    """

    outcome: Outcome
    certainty: Certainty | None = None
    reason: str = ""
    attempts: int | None = None
    attempts_certainty: Certainty | None = None
    methods: tuple[str, ...] = ()
    methods_certainty: Certainty | None = None
    methods_or: tuple[tuple[str, ...], ...] = ()
    key_accepted: bool | None = None
    key_accepted_certainty: Certainty | None = None
    partial: bool | None = None
    partial_certainty: Certainty | None = None
    closed_by: str | None = None
    inferred: bool = True
    user: str | None = None  # whom a scan asked for
    banner: tuple[str, ...] = ()  # what the server shows before a login, unescaped


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing about the user's own credentials: what is so, and what to do where it hinders. `id` is a row of
    netprobe.ssh.credentials."""

    id: str
    says: str
    to_do: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user's side of a login, held against what the server takes. `offers`: the keys that ssh would offer, in its
    order, in words."""

    user: str
    offers: tuple[str, ...]
    advice: tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """What the server said. `text` holds lines other than the identification, as received (decoded latin-1, unescaped:
    renderers escape)."""

    protocol: str | None = None
    identification: str | None = None
    text: tuple[str, ...] = ()
    kex: Kex | None = None
    auth: Auth | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """A packet as one of two captures shows it."""

    frame: int
    time_ns: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Crossing:
    """One packet on its way between two captures of the same conversation.

    `towards` is server or client. `fate`: arrived; lost (left, never arrived); forged (arrived, never left); split
    (arrived in other pieces); copied (arrived more often than it left); unseen (one capture could not have it:
    `because` says why). `changed`: what was rewritten on the way, told in words.
    """

    towards: str
    what: str
    fate: str
    client: Sight | None
    server: Sight | None
    changed: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class Struck:
    """A cause that one capture alone leaves open, and what of the other one rules it out."""

    cause: str
    because: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What two captures, the client's and the server's, show of one attempt together.

    `matched`: by what both were found to be one conversation (four-tuple, iss, timestamp, payload), None where the
    server's capture doesn't have it. `seen_as`: client and server as the server's capture has them. `side`: where the
    cause lies: client, way-there, path, server, way-back; None where that can't be told. `decided_by`: the capture
    whose frames the verdict's evidence names. `alone`: cause and certainty that the client's capture alone gives.
    `omitted`: packets of either capture of which nothing is said, in the middle of a long conversation. `began_ns`: its
    first packet by the client's clock, and what the server's clock showed then.
    """

    matched: str | None
    seen_as: tuple[Endpoint, Endpoint] | None
    side: str | None
    decided_by: str
    alone: tuple[str, Certainty]
    says: tuple[str, ...]
    changed: tuple[str, ...]
    struck: tuple[Struck, ...]
    crossings: tuple[Crossing, ...]
    omitted: int = 0
    began_ns: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One diagnosed target. Field by field the JSON of docs/interface.md."""

    target: str
    address: str | None
    port: int
    state: State
    reason: str
    cause: str
    certainty: Certainty
    rule: str
    origin: Origin
    because: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    remedy: tuple[str, ...]
    evidence: tuple[Citation, ...]
    protocol: str = "tcp"
    client: Endpoint | None = None
    reason_address: str | None = None
    reason_ttl: int | None = None
    notes: tuple[str, ...] = ()
    history: str = ""
    conn_state: str = ""
    rtt_ms: float | None = None
    attempts: int = 0
    service: Service | None = None
    path: tuple[Hop, ...] = field(default=())
    vantage: str | None = None  # the side from which a capture was taken: client, server, middle
    credentials: Credentials | None = None  # the user's side of a login, where a scan was told for whom
    basis: str | None = None  # what a sweep's verdict rests on: sweep (its one SYN), scan (all probes)
    pair: Pair | None = None  # what a second capture, taken at the other end, adds
