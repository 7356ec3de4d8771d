"""Rows to features with labels, for training."""
