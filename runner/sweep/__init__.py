"""Many runs from one command: a frozen plan, workers that do it, and what came of it."""
