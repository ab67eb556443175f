"""Tests: what the program promises, as examples and properties. No test leaves this machine."""
