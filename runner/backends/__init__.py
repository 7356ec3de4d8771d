"""Backends: a checkpoint is found and checked (`checkpoint.find`), then loaded (`torch.load`)."""
