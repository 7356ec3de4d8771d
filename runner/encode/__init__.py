"""Rows to features."""
