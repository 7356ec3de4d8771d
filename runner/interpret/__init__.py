"""Outputs to answers."""
