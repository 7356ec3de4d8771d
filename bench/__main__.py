"""`python -m bench [startup generation encoding finetuning ...] [--rounds N] [--quick]`."""

import argparse
import tempfile
from importlib import import_module
from pathlib import Path

from bench import measure

NAMES = (
    "startup", "generation", "large", "scoring", "training", "memory", "encoding", "choices", "finetuning", "rows",
    "sweeps", "plans",
)  # fmt: skip
OTHERS = ("accuracy", "pruning", "kills")  # hours: only when asked for by name


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", default=NAMES, choices=[*NAMES, *OTHERS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny workloads: does it run at all")
    asked = parser.parse_args()
    if asked.quick:  # its figures mean nothing
        measure.RESULTS = Path(tempfile.gettempdir()) / "quick.md"
    for name in asked.names:
        import_module(f"bench.{name}").run(asked.rounds, asked.quick)


if __name__ == "__main__":
    main()
