"""The layout of the tracker's table: one row of int64 per connection attempt, echo, or neighbour solicitation.

House rules of this file:
1. Every column has its name here and nowhere else; a row is read and written only through these names.
2. A *block* is one packet remembered in full (the first SYN, the RST that answered it, ...): the block's column plus
   one
   of the offsets below. A block whose FRAME is 0 has not been seen.
3. Addresses are four 32-bit words, IPv4 in the last one.
4. What every packet of a connection touches stands together at the beginning: rows are wider than a processor's lines.
"""

from __future__ import annotations

# --- what a row is
KIND = 0  # one of the K_ values
VERSION = 1  # 4 or 6
CLIENT = 2  # 4 words
SERVER = 6  # 4 words
CPORT = 10  # echo: identifier
SPORT = 11  # echo: sequence number
OUTGOING = 12  # 1 the client is this machine, 0 it is not, -1 unknown
MIDSTREAM = 13  # 1: the first packet seen was not the connection's first

K_TCP = 1
K_ECHO = 2
K_NEIGHBOR = 3

# --- sequence space
C_NEXT = 14  # next sequence number expected from the client
S_NEXT = 15  # next expected from the server
C_ACKED = 16  # highest acknowledgement by the server, relative to ISS; 0 none
C_BYTES = 17  # payload bytes from the client (without repeats)
S_BYTES = 18
S_HOLES = 19  # segments from the server that came beyond a gap
C_REPEATS = 20  # payload segments the client sent again
S_REPEATS = 21
WINDOW_OPENED = 22  # after a zero-window SYN-ACK the server opened its window

# --- history (Zeek), 5 bits a letter, oldest first
HISTORY_A = 23
HISTORY_B = 24
HISTORY_N = 25
HISTORY_SEEN = 26

# --- the life of a row in a table whose rows are used again
BORN = 27  # number of the frame that opened it
TOUCHED = 28  # time of the last packet that belongs to it; never runs backwards
REPLACED = 29  # 1: a later attempt between the same endpoints took its place
TALK = 30  # where its first payload bytes are kept: number of the place plus one, 0 none
ONWARD = 31  # 1: the client went on (ACK, data) though no packet of the server was captured
AWAY = 32  # 1: settled, its verdict is being made
S_SEGMENTS_USED = 33  # how many segments are remembered
C_SEGMENTS_USED = 34
SESSION = 35  # one of the V_ values: whether what both sides say is handed over, for an SSH session to be read from it

V_UNKNOWN = 0
V_WANTED = 1
V_NOT = 2  # no SSH, or all is known of it

# --- each side of a connection as Zeek's endpoint and as a sender of packets (sides.py): C_SIDE + E_..., S_SIDE + E_...
E_STATE = 0  # one of the Z_ values, 16 times the one before it added
E_START = 1  # sequence number where its numbering begins
E_LAST = 2  # one past the last sequence number seen
E_SYN = 3  # relative numbers of the SYN, FIN and RST last told in the history
E_FIN = 4
E_RST = 5
E_REPEATS = 6  # payload segments sent again
E_ZEROES = 7  # zero windows
E_GAPS = 8  # gaps: the other side acknowledged what the capture never had
E_GAP_TO = 9
E_HOLED = 10  # 1: a later segment came and E_HOLE..E_HOLE_END is missing
E_HOLE = 11
E_HOLE_END = 12
E_ACKED = 13  # highest acknowledgement by the other side
E_LARGEST = 14  # largest payload sent
E_PASSED = 15  # no larger segment than this is known to have been acknowledged
E_AGAIN = 16  # the first unacknowledged segment, sent again: number, length, times
E_AGAIN_LENGTH = 17
E_AGAIN_COUNT = 18
E_SACKED = 19  # acknowledgements by the other side that stand still, with a later block (SACK)
E_TTL_LOW = 20  # of all its packets but resets; 0 none
E_TTL_HIGH = 21
E_IP_ID = 22  # of its latest packet but resets
E_ID_KIND = 23  # one of the Y_ values
E_WINDOW = 24
E_FLOW = 25
E_RESETS = 26
E_RST_SEQ = 27  # of its first reset
E_RST_TTL = 28
E_SIGNS = 29  # X_ bits: what its resets have that its other packets don't
E_COUNT = 30  # packets but resets
E_STOOD = 31  # packets of the other side that don't acknowledge that segment, after it was sent three times
E_AGAIN_TIME = 32
SIDE_WIDTH = 33
C_SIDE = 36
S_SIDE = C_SIDE + SIDE_WIDTH

Z_INACTIVE = 0
Z_SYN_SENT = 1
Z_SYN_ACK_SENT = 2
Z_PARTIAL = 3
Z_ESTABLISHED = 4
Z_CLOSED = 5
Z_RESET = 6

Y_UNKNOWN = 0
Y_ZERO = 1  # IP ID always 0
Y_COUNTS = 2  # the next packet's ID is a little larger
Y_OTHER = 3
Y_ONE = 4  # one packet seen: its ID is not 0

X_TTL = 1  # a TTL that none of its other packets has
X_ID = 2  # an IP ID far from its counter's
X_ID_OF_PEER = 4  # the IP ID of the packet it answers
X_WINDOW_OF_PEER = 8  # the window of the packet it answers, not its own
X_BEYOND = 16  # a number beyond the next expected one
X_FLOW = 32  # another flow label (IPv6)
X_TTLS = 64  # resets with two TTLs
X_SEQS = 128  # resets with several numbers
X_WENT_ON = 256  # the sender sent data beyond the reset's number afterwards, with a TTL of its packets before

# --- packets remembered in full
BLOCKS = S_SIDE + SIDE_WIDTH
FRAME = 0
TIME = 1
TTL = 2
TOS = 3
IP_ID = 4
FLOW = 5
WINDOW = 6
SEQ = 7
ACK = 8
FLAGS = 9
OPTIONS = 10
COUNT = 11
LAST = 12  # time of the last copy
BLOCK_WIDTH = 13

C_ACK = BLOCKS + 0 * BLOCK_WIDTH  # the client's ACK of the SYN-ACK
S_DATA = BLOCKS + 1 * BLOCK_WIDTH  # the server's first payload
C_DATA = BLOCKS + 2 * BLOCK_WIDTH
FIRST = BLOCKS + 3 * BLOCK_WIDTH  # the client's first packet
SYNACK = BLOCKS + 4 * BLOCK_WIDTH
RST = BLOCKS + 5 * BLOCK_WIDTH  # the server's reset
S_FIN = BLOCKS + 6 * BLOCK_WIDTH
C_FIN = BLOCKS + 7 * BLOCK_WIDTH
C_RST = BLOCKS + 8 * BLOCK_WIDTH
SYN2 = BLOCKS + 9 * BLOCK_WIDTH  # a second SYN of the client with another sequence number
SYNACK2 = BLOCKS + 10 * BLOCK_WIDTH  # a SYN-ACK with another sequence number than the first
CHALLENGE = BLOCKS + 11 * BLOCK_WIDTH  # a bare ACK in answer to a SYN
ECHOED = BLOCKS + 12 * BLOCK_WIDTH  # the ACK that a half-open connection owes to SYN2
ODD = BLOCKS + 13 * BLOCK_WIDTH  # an answer on this four-tuple that fits nothing sent
REPLY = BLOCKS + 14 * BLOCK_WIDTH  # echo reply, ARP reply or neighbour advertisement

# --- ICMP error that quoted this attempt (the first that fitted)
ICMP = BLOCKS + 15 * BLOCK_WIDTH
I_FRAME = 0
I_TIME = 1
I_TTL = 2
I_TOS = 3
I_TYPE = 4
I_CODE = 5
I_SENDER = 6  # 4 words
I_QUOTED_TTL = 10
I_QUOTED_TOS = 11
I_COUNT = 12
I_LAST = 13
ICMP_WIDTH = 14

# --- what its server's address showed elsewhere in the capture (hosts.py), copied when the row is settled
A_KNOWN = 0  # 1: the table still knows this address
A_PING = 1  # TTL of an echo reply; 0 none
A_OPEN = 2  # two TTLs of SYN-ACKs
A_OPEN2 = 3
A_HERE = 4  # 1: a SYN-ACK came from this very port
A_CONTROL = 5  # another port answered: 0 none, 1 SYN-ACK, 2 reset
A_RESET = 6  # TTL of a reset of another port that copies the DSCP of its SYN
A_RESET_TOS = 7  # T_ value of another port's reset
A_ALL_OPEN = 8  # 1: four ports or more answered, all of them with SYN-ACK
A_FULL = 9  # an answer of this address had the TTL it started with: bit 0 a SYN-ACK or echo reply, bit 1 a reset
HOST_WIDTH = 10
HOST = ICMP + ICMP_WIDTH

T_UNKNOWN = 0  # DSCP of a reset against that of the SYN it answers
T_ECHO = 1
T_ZERO = 2
T_OTHER = 3

# --- when the client repeated its SYN: three gaps, four bits each, one of the W_ values
RHYTHM = HOST + HOST_WIDTH
TOO_BIG = RHYTHM + 1  # 1: an ICMP error said that a packet of either side was too big
W_HALF = 1  # about half a second; then one, two, three, four, six, eight
W_ONE = 2
W_TWO = 3
W_THREE = 4
W_FOUR = 5
W_SIX = 6
W_EIGHT = 7
W_OTHER = 15


# --- the first payload segments each way
SEGMENT_WIDTH = 5
G_FRAME = 0
G_OFFSET = 1  # in the stream
G_LENGTH = 2  # bytes on the wire
G_TIME = 3
G_SEEN = 4  # bytes of it that were captured
S_SEGMENTS = TOO_BIG + 1
S_SEGMENTS_N = 24
C_SEGMENTS = S_SEGMENTS + S_SEGMENTS_N * SEGMENT_WIDTH
C_SEGMENTS_N = 4

SESSION_KIND = C_SEGMENTS + C_SEGMENTS_N * SEGMENT_WIDTH  # what its SSH session came to, by number; 0 nothing

WIDTH = SESSION_KIND + 1

# --- what evidence reads of all this, in one word (sides.looks): where its parts begin, and bits of their own
B_C_STATE = 0
B_S_STATE = 4
B_C_SIGNS = 8
B_S_SIGNS = 17
B_RHYTHM = 26
B_ONWARD = 38
B_ASKED_AGAIN = 39  # the SYN was repeated after the SYN-ACK (0.1 s and more)
B_ANSWER_SLOW = 40  # SYN to SYN-ACK took four times as long as SYN-ACK to ACK, or longer
B_ACK_SLOW = 41  # the reverse
B_C_STUCK = 42  # the client's first unacknowledged segment, larger than any before, goes again and again
B_S_STUCK = 43  # the same of the server's
B_S_MISSING = 44  # a segment of the server's, larger than any before, is missing; a later one was acknowledged by SACK
B_C_UNHEARD = 45  # like B_C_STUCK, but nothing later was sent: the other side is there and never acknowledges it
B_S_UNHEARD = 46
B_LEFT_12 = 47  # the client closed 12 s or more after the last that it heard; or 2 s or more
B_LEFT_2 = 48
B_ASKED_TWICE = 49  # the SYN was sent twice (0.1 s apart and more)
B_TOLD_TWICE = 50  # the SYN-ACK was
B_SAID_MORE = 51  # the server sent more than an identification has room for
B_EARLY_RESET = 52  # the server's first reset stands within that room
B_TOO_BIG = 53
SIGNS_WIDTH = 9
# --- the first payload bytes of a connection, in a place of their own: the server's, then the client's
S_KEPT = 2048
S_IDENTIFIED = 264  # of the server's, where they are an identification (257 at most) and the next packet's first
C_KEPT = 512
TALK_WIDTH = S_KEPT + C_KEPT

# --- bits of OPTIONS
O_MSS = 1
O_WSCALE = 2
O_SACK = 4
O_TIMESTAMP = 8
O_MD5 = 16
O_FASTOPEN = 32
O_OTHER = 64
O_FRAGMENT = 128  # the packet was a first fragment
O_DF = 256
O_SACKED = 512  # a SACK option with at least one block (RFC 2018)
USUAL_OPTIONS = O_MSS | O_WSCALE | O_SACK | O_TIMESTAMP | O_FASTOPEN | O_OTHER  # any of these: no bare SYN
O_MSS_SHIFT = 16  # the MSS value in the bits above

# --- bits of FLAGS (RFC 9293 3.1)
F_FIN = 1
F_SYN = 2
F_RST = 4
F_PSH = 8
F_ACK = 16
F_ECE = 64
F_CWR = 128
OPENING = F_SYN | F_ACK | F_FIN | F_RST  # what tells the form of a first packet

# --- history letters by number; bit 4 of the number is set for the server's (lower case)
LETTERS = "?SHADFRCIQTWG^"
L_SYN = 1
L_SYNACK = 2
L_ACK = 3
L_DATA = 4
L_FIN = 5
L_RST = 6
L_CORRUPT = 7  # never written: checksums are not looked at, as Zeek does with -C
L_INCONSISTENT = 8
L_MULTI = 9
L_RETRANSMIT = 10
L_WINDOW0 = 11
L_GAP = 12
L_FLIPPED = 13

# --- counters of a whole run
N_FRAMES = 0
N_ROWS = 1
N_UNSOLICITED = 2
N_DEPTH = 3  # through how many tunnels, one in the other, to look; 0: none
N_CLOCK = 16  # the latest time seen: time that goes backwards doesn't take anything back
N_FREE_ROWS = 17
N_FREE_TALKS = 18
N_RESERVE = 20  # so many free rows are left untouched until what has settled is known
N_HEARD = 21  # entries in `heard`
N_SESSIONS = 22  # 1: SSH sessions are handed over
N_REUSES = 19  # 1: rows are settled and used again; 0: all are kept, as in a live scan
N_PROTOCOLS = 24  # packets by P_ value: their sum is N_FRAMES
PROTOCOLS = 24
N_WHAT = N_PROTOCOLS + PROTOCOLS  # what could not be decoded, more closely: (P_ value and D_WHAT, packets) each
WHATS = 16
COUNTERS = N_WHAT + 2 * WHATS

# --- a segment handed over: `heard` has so many words for each
H_ROW = 0
H_BEGIN = 1  # where its payload begins in the batch's buffer
H_SEEN = 2  # bytes captured
H_LENGTH = 3  # bytes on the wire
H_OFFSET = 4  # in its side's stream, modulo 2**32
H_CLIENT = 5  # 1: the client sent it
H_FLAGS = 6
H_TIME = 7
HEARD_WIDTH = 8
HEARD = 4096  # entries there is room for

# --- one decoded packet
D_PROTOCOL = 0  # P_ values
D_VERSION = 1
D_SRC = 2
D_DST = 6
D_TTL = 10
D_TOS = 11
D_IP_ID = 12
D_FLOW = 13
D_SPORT = 14
D_DPORT = 15
D_SEQ = 16
D_ACK = 17
D_FLAGS = 18
D_WINDOW = 19
D_OPTIONS = 20
D_PAYLOAD = 21  # payload bytes on the wire
D_TYPE = 22
D_CODE = 23
D_Q_TTL = 24
D_Q_TOS = 25
D_Q_SRC = 26
D_Q_DST = 30
D_Q_SPORT = 34
D_Q_DPORT = 35
D_Q_SEQ = 36
D_Q_PROTOCOL = 37
D_OFFSET = 38  # where the payload starts in the frame
D_SEGMENT = 39  # the column of the row's segment that this payload became, 0 none
D_WHAT = 40  # which EtherType, IP protocol or link type it was that isn't decoded
DECODED = 48

P_NONE = 0
P_TCP = 1
P_ICMP_ERROR = 2  # that quotes TCP or an echo
P_ECHO = 3
P_ECHO_REPLY = 4
P_NEIGHBOR_ASK = 5
P_NEIGHBOR_REPLY = 6
DECODABLE = 7  # those below are looked at, those from here on only counted
P_OTHER = 7  # another IP protocol
P_FRAGMENT = 8  # a later fragment, or a first one without a whole TCP header
P_SHORT = 9  # the capture has too little of the packet
P_NOT_IP = 10
P_UNKNOWN_LINK = 11
P_ICMP_OTHER = 12
P_UDP = 13
P_SCTP = 14
P_ESP = 15
P_TUNNEL = 16  # not looked into, or too deep
P_MALFORMED = 17  # lengths or versions that can't be
P_ENCRYPTED = 18  # by the link: 802.11, MACsec
