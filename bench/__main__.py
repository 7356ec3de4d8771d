"""`python -m bench [startup generation scoring training memory] [--rounds N] [--quick]`."""

import argparse
from importlib import import_module

NAMES = ("startup", "generation", "large", "scoring", "training", "memory")


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", default=NAMES, choices=[*NAMES, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny workloads: does it run at all")
    asked = parser.parse_args()
    for name in asked.names:
        import_module(f"bench.{name}").run(asked.rounds, asked.quick)


if __name__ == "__main__":
    main()
