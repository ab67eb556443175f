"""Tests of the walk through firewall rules: each language by itself, and all of it against the kernel."""
