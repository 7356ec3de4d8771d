"""Rows from any source under canonical column names, checked before any model is loaded."""

from runner.data.assets import asset
from runner.data.classes import labels
from runner.data.columns import Columns
from runner.data.split import Split, open_split

__all__ = ["Columns", "Split", "asset", "labels", "open_split"]
