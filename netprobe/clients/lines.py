"""What clients really print, line by line, and the row of texts.py that each belongs to.

House rules of this file:
1. <host> and <port> stand for what was typed. `measured`: seen from that client, in a network made for it, on Linux;
   `documented`: from its source or manual, not run here.
"""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line of a client. `seen`: measured or documented."""

    client: str
    line: str
    text: str
    seen: str = "measured"


_REFUSED, _SILENT, _NO_ROUTE = "Connection refused", "Connection timed out", "No route to host"
_NETWORK, _NAME, _DENIED = "Network is unreachable", "Could not resolve hostname", "Permission denied"
_CLOSED = "kex_exchange_identification: Connection closed by remote host"
_RESET = "kex_exchange_identification: read: Connection reset by peer"
_PUTTY = "Remote side unexpectedly closed network connection"
_LOGIN, _KEY, _NEGOTIATE = "Permission denied (publickey)", "Host key verification failed", "Unable to negotiate"
_SSH = "OpenSSH 9.2"
_DOC = "documented"

LINES: tuple[Line, ...] = (
    # OpenSSH; scp, sftp, git and rsync print its line first
    Line(_SSH, "ssh: connect to host <host> port <port>: Connection refused", _REFUSED),
    Line(_SSH, "debug1: connect to address <host> port <port>: Connection refused", _REFUSED),
    Line(_SSH, "ssh: connect to host <host> port <port>: Connection timed out", _SILENT),
    Line(_SSH, "ssh: connect to host <host> port <port>: No route to host", _NO_ROUTE),
    Line(_SSH, "ssh: connect to host <host> port <port>: Network is unreachable", _NETWORK),
    Line(_SSH, "ssh: connect to host <host> port <port>: Protocol not available", "Protocol not available"),
    Line(_SSH, "ssh: connect to host <host> port <port>: Permission denied", _DENIED),
    Line(_SSH, "ssh: connect to host <host> port <port>: Invalid argument", "Invalid argument"),
    Line(_SSH, "bind 198.51.100.1: Cannot assign requested address", "Cannot assign requested address"),
    Line(_SSH, "ssh: Could not resolve hostname <host>: Temporary failure in name resolution", _NAME),
    Line(_SSH, "ssh: Could not resolve hostname <host>: Name or service not known", _NAME, _DOC),
    Line(_SSH, "kex_exchange_identification: Connection closed by remote host", _CLOSED),
    Line(_SSH, "kex_exchange_identification: read: Connection reset by peer", _RESET),
    Line("OpenSSH before 8", "ssh_exchange_identification: read: Connection reset by peer", _RESET, _DOC),
    Line("OpenSSH before 8", "ssh_exchange_identification: Connection closed by remote host", _CLOSED, _DOC),
    Line(_SSH, "Connection timed out during banner exchange", "Connection timed out during banner exchange"),
    Line(_SSH, "Connection to <host> port <port> timed out", "Connection timed out during banner exchange"),
    Line(
        _SSH,
        "kex_exchange_identification: banner line contains invalid characters",
        "banner line contains invalid characters",
    ),
    Line(
        _SSH,
        "banner exchange: Connection to <host> port <port>: invalid format",
        "banner line contains invalid characters",
    ),
    Line(_SSH, "Protocol major versions differ: 2 vs. 1", "Protocol major versions differ"),
    Line(
        _SSH,
        "banner exchange: Connection to <host> port <port>: could not read protocol version",
        "Protocol major versions differ",
    ),
    Line(_SSH, "Connection closed by <host> port <port>", "Connection closed by HOST port PORT"),
    Line(_SSH, "Connection reset by <host> port <port>", "Connection reset by HOST port PORT"),
    Line(
        "OpenSSH server 9",
        "Connection closed by authenticating user root <host> port <port> [preauth]",
        "Connection closed by HOST port PORT",
        _DOC,
    ),
    Line(
        _SSH,
        "Unable to negotiate with <host> port <port>: no matching key exchange method found. Their offer: "
        "diffie-hellman-group1-sha1",
        _NEGOTIATE,
    ),
    Line(
        _SSH,
        "Unable to negotiate with <host> port <port>: no matching cipher found. Their offer: aes256-cbc",
        _NEGOTIATE,
    ),
    Line(_SSH, "Host key verification failed.", _KEY),
    Line(_SSH, "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", _KEY),
    Line(_SSH, "user@<host>: Permission denied (publickey,password).", _LOGIN),
    Line(_SSH, "Permission denied, please try again.", _LOGIN, _DOC),
    Line(
        _SSH,
        "Received disconnect from <host> port <port>:2: Too many authentication failures",
        "Too many authentication failures",
    ),
    Line(_SSH, "client_loop: send disconnect: Broken pipe", "client_loop: send disconnect: Broken pipe", _DOC),
    Line(_SSH, "Connection to <host> closed by remote host.", "client_loop: send disconnect: Broken pipe", _DOC),
    Line("OpenSSH on Windows", "ssh: connect to host <host> port <port>: Connection refused", _REFUSED, _DOC),
    Line("OpenSSH on macOS", "ssh: connect to host <host> port <port>: Operation timed out", _SILENT, _DOC),
    Line("OpenSSH on macOS", "ssh: connect to host <host> port <port>: Host is down", "Host is down", _DOC),
    Line(
        "OpenSSH on macOS",
        "ssh: Could not resolve hostname <host>: nodename nor servname provided, or not known",
        _NAME,
        _DOC,
    ),
    # PuTTY, plink, pscp
    Line("plink 0.78", "FATAL ERROR: Connection refused", _REFUSED),
    Line("plink 0.78 -v", "Failed to connect to <host>: Connection refused", _REFUSED),
    Line("plink 0.78", "FATAL ERROR: No route to host", _NO_ROUTE),
    Line("plink 0.78", "Network is unreachable", _NETWORK),
    Line("plink 0.78", "FATAL ERROR: Permission denied", _DENIED),
    Line("plink 0.78", "Temporary failure in name resolution", _NAME),
    Line("plink 0.78", "FATAL ERROR: Remote side unexpectedly closed network connection", _PUTTY),
    Line("plink 0.78", "FATAL ERROR: Connection reset by peer", "Connection reset by peer"),
    Line(
        "plink 0.78",
        "FATAL ERROR: SSH protocol version 2 required by our configuration but remote only provides "
        "(old, insecure) SSH-1",
        "Protocol major versions differ",
    ),
    Line("plink 0.78", "FATAL ERROR: Cannot confirm a host key in batch mode", _KEY),
    Line("plink 0.78", "FATAL ERROR: Host key not in manually configured list", _KEY),
    Line("plink 0.78", "FATAL ERROR: Cannot confirm a weak crypto primitive in batch mode", _NEGOTIATE),
    Line("plink 0.78", "FATAL ERROR: No supported authentication methods available (server sent: publickey)", _LOGIN),
    Line("plink 0.78", "FATAL ERROR: Configured password was not accepted", _LOGIN),
    Line("PuTTY on Windows", "Network error: Connection refused", _REFUSED, _DOC),
    Line("PuTTY on Windows", "Network error: Connection timed out", _SILENT, _DOC),
    Line(
        "PuTTY on Windows",
        "Network error: Software caused connection abort",
        "client_loop: send disconnect: Broken pipe",
        _DOC,
    ),
    Line("PuTTY", "Couldn't agree a key exchange algorithm (available: curve25519-sha256)", _NEGOTIATE, _DOC),
    # dropbear
    Line(
        "dbclient 2022.83",
        "dbclient: Connection to user@<host>:<port> exited: Connect failed: Connection refused",
        _REFUSED,
    ),
    Line(
        "dbclient 2022.83",
        "dbclient: Connection to user@<host>:<port> exited: Connect failed: No route to host",
        _NO_ROUTE,
    ),
    Line(
        "dbclient 2022.83",
        "dbclient: Connection to user@<host>:<port> exited: Connect failed: Error resolving '<host>' port "
        "'<port>'. Temporary failure in name resolution",
        _NAME,
    ),
    Line("dbclient 2022.83", "dbclient: Connection to user@<host>:<port> exited: Remote closed the connection", _PUTTY),
    Line("dbclient 2022.83", "dbclient: Connection to user@<host>:<port> exited: No matching algo kex", _NEGOTIATE),
    Line(
        "dbclient 2022.83",
        "dbclient: Connection to user@<host>:<port> exited: Incompatible remote version 'SSH-1.5-1.2.27'",
        "Protocol major versions differ",
    ),
    Line(
        "dbclient 2022.83", "dbclient: Connection to user@<host>:<port> exited: No auth methods could be used.", _LOGIN
    ),
    # Python
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.NoValidConnectionsError: [Errno None] Unable to connect to port <port> on <host>",
        "Couldn't connect to server",
    ),
    Line("paramiko 5", "TimeoutError: timed out", _SILENT),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.SSHException: Error reading SSH protocol banner",
        "Error reading SSH protocol banner",
    ),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.SSHException: Error reading SSH protocol banner[Errno 104] Connection reset by peer",
        _RESET,
    ),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.IncompatiblePeer: Incompatible version (1.5 instead of 2.0)",
        "Protocol major versions differ",
    ),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.IncompatiblePeer: Incompatible ssh peer (no acceptable kex algorithm)",
        _NEGOTIATE,
    ),
    Line("paramiko 5", "paramiko.ssh_exception.AuthenticationException: Authentication failed.", _LOGIN),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.BadAuthenticationType: Bad authentication type; allowed types: ['publickey']",
        _LOGIN,
    ),
    Line(
        "paramiko 5",
        "paramiko.ssh_exception.BadHostKeyException: Host key for server '<host>' does not match: got 'AAAA', "
        "expected 'BBBB'",
        _KEY,
    ),
    Line("paramiko 5", "paramiko.ssh_exception.SSHException: Server '[<host>]:<port>' not found in known_hosts", _KEY),
    Line("paramiko 5", "PermissionError: [Errno 13] Permission denied", _DENIED),
    Line("paramiko 5", "socket.gaierror: [Errno -3] Temporary failure in name resolution", _NAME),
    Line("paramiko 5", "EOFError: ", _PUTTY),
    Line("asyncssh 2.24", "ConnectionRefusedError: [Errno 111] Connect call failed ('<host>', <port>)", _REFUSED),
    Line("asyncssh 2.24", "OSError: [Errno 113] Connect call failed ('<host>', <port>)", _NO_ROUTE),
    Line("asyncssh 2.24", "asyncssh.misc.ConnectionLost: Connection lost", _PUTTY),
    Line(
        "asyncssh 2.24", "asyncssh.misc.ProtocolNotSupported: Unsupported SSH version", "Protocol major versions differ"
    ),
    Line(
        "asyncssh 2.24",
        "asyncssh.misc.KeyExchangeFailed: No matching key exchange algorithm found, sent x and received y",
        _NEGOTIATE,
    ),
    Line("asyncssh 2.24", "asyncssh.misc.PermissionDenied: Permission denied for user root on host <host>", _LOGIN),
    Line(
        "asyncssh 2.24",
        "asyncssh.misc.ProtocolError: Too many authentication failures",
        "Too many authentication failures",
    ),
    Line("Python 3.11", "ConnectionRefusedError: [Errno 111] Connection refused", _REFUSED),
    Line("Python 3.11", "OSError: [Errno 113] No route to host", _NO_ROUTE),
    Line("Python on macOS", "ConnectionRefusedError: [Errno 61] Connection refused", _REFUSED, _DOC),
    Line(
        "Python on Windows",
        "TimeoutError: [WinError 10060] A connection attempt failed because the connected party did "
        "not properly respond after a period of time",
        _SILENT,
        _DOC,
    ),
    Line(
        "Python on Windows",
        "ConnectionRefusedError: [WinError 10061] No connection could be made because the target "
        "machine actively refused it",
        _REFUSED,
        _DOC,
    ),
    Line(
        "Python on Windows",
        "ConnectionResetError: [WinError 10054] An existing connection was forcibly closed by the remote host",
        "Connection reset by peer",
        _DOC,
    ),
    # tools that people try the port with
    Line(
        "curl 7.88",
        "curl: (7) Failed to connect to <host> port <port> after 0 ms: Couldn't connect to server",
        "Couldn't connect to server",
    ),
    Line("curl 7.88 -v", "* connect to <host> port <port> failed: Connection refused", _REFUSED),
    Line("curl 7.88", "curl: (28) Failed to connect to <host> port <port> after 3000 ms: Timeout was reached", _SILENT),
    Line("curl 7.88", "curl: (6) Could not resolve host: <host>", _NAME),
    Line("curl 7.88", "curl: (52) Empty reply from server", "Empty reply from server"),
    Line("curl 7.88", "curl: (56) Recv failure: Connection reset by peer", "Connection reset by peer"),
    Line("nc of OpenBSD 1.219", "nc: connect to <host> port <port> (tcp) failed: Connection refused", _REFUSED),
    Line(
        "nc of OpenBSD 1.219", "nc: connect to <host> port <port> (tcp) timed out: Operation now in progress", _SILENT
    ),
    Line(
        "nc of OpenBSD 1.219",
        'nc: getaddrinfo for host "<host>" port <port>: Temporary failure in name resolution',
        _NAME,
    ),
    Line("ncat 7.93", "Ncat: Connection refused.", _REFUSED),
    Line("ncat 7.93", "Ncat: TIMEOUT.", _SILENT),
    Line(
        "ncat 7.93", 'Ncat: Could not resolve hostname "<host>": Temporary failure in name resolution. QUITTING.', _NAME
    ),
    Line("telnet (inetutils)", "telnet: Unable to connect to remote host: Connection refused", _REFUSED),
    Line("telnet (inetutils)", "Server lookup failure:  <host>:telnet, Temporary failure in name resolution", _NAME),
    Line("telnet (inetutils)", "Connection closed by foreign host.", "Empty reply from server"),
    Line("telnet on BSD", "telnet: connect to address <host>: Connection refused", _REFUSED, _DOC),
    Line("wget 1.21", "Connecting to <host>:<port>... failed: Connection refused.", _REFUSED),
    Line("wget 1.21", "Connecting to <host>:<port>... failed: Connection timed out.", _SILENT),
    Line("wget 1.21", "wget: unable to resolve host address ‘<host>’", _NAME),
    Line("bash 5.2", "bash: line 1: /dev/tcp/<host>/<port>: Connection refused", _REFUSED),
    Line("PowerShell", "TcpTestSucceeded : False", _SILENT, _DOC),
    # runtimes
    Line("Java 17", "java.net.ConnectException: Connection refused", _REFUSED),
    Line("Java 17", "java.net.SocketTimeoutException: Connect timed out", _SILENT),
    Line("Java 17", "java.net.NoRouteToHostException: No route to host", _NO_ROUTE),
    Line("Java 17", "java.net.SocketException: Network is unreachable", _NETWORK),
    Line("Java 17", "java.net.BindException: Permission denied", _DENIED),
    Line("Java 17", "java.net.SocketException: Connection reset", "Connection reset by peer"),
    Line("Java 17", "java.net.UnknownHostException: <host>", _NAME),
    Line("JSch", "com.jcraft.jsch.JSchException: Auth fail", _LOGIN, _DOC),
    Line("JSch", "com.jcraft.jsch.JSchException: Algorithm negotiation fail", _NEGOTIATE, _DOC),
    Line("Node.js", "Error: connect ECONNREFUSED <host>:<port>", _REFUSED),
    Line("Node.js", "Error: connect EHOSTUNREACH <host>:<port>", _NO_ROUTE),
    Line("Node.js", "Error: connect EACCES <host>:<port>", _DENIED),
    Line("Node.js", "Error: getaddrinfo EAI_AGAIN <host>", _NAME),
    Line("Node.js", "Error: read ECONNRESET", "Connection reset by peer"),
    Line("Go", "dial tcp <host>:<port>: connect: connection refused", _REFUSED, _DOC),
    Line("Go", "dial tcp <host>:<port>: i/o timeout", _SILENT, _DOC),
    Line("Go", "dial tcp <host>:<port>: connect: no route to host", _NO_ROUTE, _DOC),
    Line("Go", "dial tcp: lookup <host>: no such host", _NAME, _DOC),
    Line(
        "Go",
        "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported "
        "methods remain",
        _LOGIN,
        _DOC,
    ),
    Line("Go", "ssh: handshake failed: knownhosts: key mismatch", _KEY, _DOC),
)
