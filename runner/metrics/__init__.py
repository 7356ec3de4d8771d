"""Per-example scores and their intervals."""
