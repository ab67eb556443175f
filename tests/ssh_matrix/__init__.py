"""The matrix of SSH logins: real servers and clients, every cipher and outcome, recorded; and what comes of reading it.

plans      what a client tries and what must come of it
world      mounts, network and accounts that exist only while it is recorded
servers    OpenSSH (the machine's, and newer ones out of a folder), dropbear, asyncssh
clients    OpenSSH, plink, dbclient, asyncssh, paramiko
truth      what really happened, from the client's own list of messages
record     `make ssh-matrix`: captures/ssh/ anew
replay     a recording, connection by connection, through tracker/decode and netprobe.ssh
score      right, unknown, wrong; docs/ssh-login.md
"""
