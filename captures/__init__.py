"""Recorded captures with their cases, and the forge for what no lab can record."""
