"""How fast the runner is beside what people would use instead."""
