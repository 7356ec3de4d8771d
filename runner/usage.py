"""The text behind --help: what there is to choose, and commands to start from."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from runner import __version__

TEXT = """\
runner {version}: run, evaluate and fine-tune Hugging Face models from one configuration

  python -m runner [group=choice ...] [key=value ...]

Groups
{groups}

Examples
  python -m runner                                           four poems by the embedded model
  python -m runner 'data.prompts=[one, another]' decode=sample decode.temperature=0.8 seed=1
  python -m runner checkpoint=pretrained checkpoint.name_or_path=gpt2 data=files data.path=prompts.txt
  python -m runner mode=evaluate data=poems_small            perplexity, bits per byte, accuracy
  python -m runner train=full data=poems_small train.max_steps=100
  python -m runner -m decode=greedy,beam seed=0,1            every combination; see the README for searches

Options
  --cfg job            show the configuration instead of running it; lists every key
  --config-dir FOLDER  add YAML groups of your own
  -m, --multirun       run every combination of values separated by commas
  -sc install=bash     completion: eval "$(python -m runner -sc install=bash)"
  --hydra-help         Hydra's own flags
  --version            the version

Results go to outputs/<task>/<checkpoint>-<what was overridden>-<id>/; the same command continues or shows them.
Exit codes: 0 done, 1 failed, 2 refused, 75 stopped and resumable, 130 interrupted.
Environment: HF_TOKEN for the hub; RUNNER_TRUST=my_package lets _target_ name classes of your own package."""


def usage(folders: list[Path]) -> str:
    """The help text, with the groups that lie in the folders."""
    names = sorted({path.parent.name for folder in folders for path in folder.glob("*/*.yaml")})
    lines = [wrapped(f"  {name:<11}{' '.join(choices(name, folders))}") for name in names]
    return TEXT.format(version=__version__, groups="\n".join(lines))


def wrapped(line: str) -> str:
    """In lines of at most 120 characters, each below the first choice."""
    return fill(line, width=120, subsequent_indent=" " * 13, break_long_words=False, break_on_hyphens=False)


def choices(group: str, folders: list[Path]) -> list[str]:
    """The files of a group."""
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def config_dir() -> Path:
    """Where the YAML groups lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
