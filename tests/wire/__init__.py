"""Tests of the wire: files and bytes everywhere, sockets in namespaces of their own."""
