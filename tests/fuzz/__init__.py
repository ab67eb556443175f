"""Fuzzing: a target for each parser that reads what strangers wrote. `make fuzz` runs them, guided by coverage.

targets   one function of bytes for each parser, and seeds to begin with
__main__  runs them under atheris, each in a process of its own
"""
