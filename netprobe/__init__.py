"""netprobe tells why a TCP connection fails, and proves it with packets."""

__version__ = "0.1.0"
