"""Stored results as one HTML file that opens offline."""
