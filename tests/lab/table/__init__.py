"""The rows of the table of scenarios, one file for each layer; scenarios.py puts them together."""
