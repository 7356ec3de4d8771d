"""What Hydra finds under hydra/launcher and hydra/sweeper; the work is done in runner.sweep."""
