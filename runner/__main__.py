"""The command line: overrides in, exit code out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import DONE, FAILED, INTERRUPTED, ConfigError, RunnerError, Stopped, visible

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _forget_working_directory()
    try:
        return _does(arguments)
    except RunnerError as error:
        print(_told(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _does(arguments: Sequence[str]) -> int:
    """Help and version before anything is imported; then a run, a sweep, or what Hydra can tell about either."""
    from runner.usage import config_dir, usage

    if "--version" in arguments:
        from runner import __version__

        print(f"runner {__version__}")
        return DONE
    if "--help" in arguments or "-h" in arguments:
        print(usage([config_dir()]))
        return DONE
    asked = _parsed(arguments)
    if asked.multirun:
        return _sweep(arguments, asked)
    if asked.cfg == "job" and not (asked.package or asked.resolve):
        return _show(asked)
    if asked.cfg or asked.info or asked.hydra_help or asked.shell_completion:
        return _hydra(arguments, asked)
    return _single(asked.overrides, asked.config_dir)


def _parsed(arguments: Sequence[str]) -> Any:
    """The flags that Hydra knows and those of them that exist here.

    Raises:
        ConfigError: naming every other one.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.allow_abbrev = False
    parser.prog, parser.usage = "runner", "python -m runner [group=choice ...] [key=value ...]; see --help"
    parsed, unknown = parser.parse_known_args(list(arguments))
    given = {"--config-name": parsed.config_name, "--config-path": parsed.config_path}
    given["--experimental-rerun"] = parsed.experimental_rerun  # a pickle
    wrong = [*unknown, *(name for name, value in given.items() if value)]
    if wrong:
        raise ConfigError([f"{text}  is no option; see --help" for text in wrong])
    return parsed


def _single(overrides: Sequence[str], also: str | None) -> int:
    from runner.compose import compose
    from runner.config import freeze

    return _run(freeze(compose(overrides, also)), overrides)


def _run(config: Config, overrides: Sequence[str]) -> int:
    from runner.experiment import run
    from runner.terminal import SHOWN, Terminal

    terminal = Terminal()
    try:
        result = run(config, terminal, overrides)
    finally:
        terminal.close()
    if not result.fresh:
        terminal.phase(f"done before, shown from {result.directory}; rerun=true runs it again, seed=1 draws others")
        for prediction in result.first(SHOWN):
            terminal.answer({}, prediction)
    terminal.metrics(dict(result.metrics))
    terminal.phase(f"{result.directory}   report.html  predictions.jsonl")
    return DONE


def _show(asked: Any) -> int:
    from omegaconf import OmegaConf

    from runner.compose import compose

    print(OmegaConf.to_yaml(compose(asked.overrides, asked.config_dir)), end="")
    return DONE


def _sweep(arguments: Sequence[str], asked: Any) -> int:
    """Every job is checked before the first one runs; a job that fails costs only itself."""
    from runner.compose import check_sweep
    from runner.config import freeze

    check_sweep(asked.overrides, asked.config_dir)
    codes = [DONE]

    def job(composed: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig

        overrides = [text.removeprefix("++") for text in HydraConfig.get().overrides.task]
        print(visible(" ".join(overrides)))
        try:
            codes.append(_run(freeze(composed), overrides))
        except Stopped as error:
            print(_told(error), file=sys.stderr)
            raise SystemExit(error.exit_code) from error
        except RunnerError as error:
            print(_told(error), file=sys.stderr)
            codes.append(error.exit_code)
        except Exception:
            traceback.print_exc()
            codes.append(FAILED)

    _hydra_main(arguments, job)
    return max(codes)


def _hydra(arguments: Sequence[str], asked: Any) -> int:
    """What Hydra can tell: its flags, the configuration with its own section, completion."""
    from runner.compose import compose

    if not asked.shell_completion:  # what is being typed cannot be checked yet
        compose(asked.overrides, asked.config_dir)
    _hydra_main(arguments, lambda composed: None)
    return DONE


def _hydra_main(arguments: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    import hydra

    from runner.compose import register
    from runner.grammar import prepared
    from runner.usage import config_dir

    register()
    before, sys.argv = sys.argv, ["runner", *prepared(arguments)]
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(job)()
    finally:
        sys.argv = before


def _told(error: RunnerError) -> str:
    from runner.config import redacted

    text = str(redacted(str(error)))
    return visible(text if "\n" in text else f"{type(error).__name__}: {text}")


def _forget_working_directory() -> None:
    """`python -m` puts the working directory first on the path: plugins lying there must not be imported."""
    here = os.getcwd()
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if path not in ("", here) or (path == here and here == own)]


if __name__ == "__main__":
    sys.exit(main())
