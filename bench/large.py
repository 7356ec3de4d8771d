"""Text generation with 124 M parameters, as bench/generation.py does it with 6 M."""

from bench.generation import NOTES, varied
from bench.measure import write


def run(rounds: int, quick: bool) -> None:
    """Few prompts, one thread."""
    import torch

    torch.set_num_threads(1)
    write("Generation, 124 M parameters", varied("124M", 4 if quick else 12, rounds, 1.5, (1, 4, 8)), rounds, 1, NOTES)
