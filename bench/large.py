"""Text generation with 124 M parameters, as bench/generation.py does it with 6 M."""

from bench.generation import NOTES, varied
from bench.measure import write
from bench.models import half_pays, prompts


def run(rounds: int, quick: bool) -> None:
    """Few prompts, one thread; bfloat16 where the processor has units for it."""
    import torch

    torch.set_num_threads(1)
    goals = {"float32": 1.5} | ({"bfloat16": 2.2} if half_pays() else {})
    work = prompts(4 if quick else 24, 50257, longest=250, most=120)
    notes = (*NOTES, *(() if "bfloat16" in goals else ("bfloat16 is not measured: this processor emulates it.",)))
    write("Generation, 124 M parameters", varied("124M", work, rounds, (1, 4, 8), goals), rounds, 1, notes)
