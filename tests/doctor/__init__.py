"""Tests of netprobe doctor: recorded facts, and real servers in namespaces of their own."""
