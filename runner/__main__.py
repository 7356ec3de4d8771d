"""The command line: overrides in, exit code out."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import DONE, FAILED, INTERRUPTED, ConfigError, RunnerError, Stopped, visible

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.config import Config
    from runner.experiment import Result


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _forget_working_directory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that knows ASCII only still gets every answer
            stream.reconfigure(errors="backslashreplace")
    try:
        return _does(arguments)
    except RunnerError as error:
        print(_told(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        print("\n".join(["interrupted", *_notes(error)]), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what is printed has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _does(arguments: Sequence[str]) -> int:
    """Help and version before anything is imported; then a run, a sweep, or what Hydra can tell about either."""
    from runner.sweep.options import key_of
    from runner.usage import config_dir, usage

    if "--version" in arguments:
        from runner import __version__

        print(f"runner {__version__}")
        return DONE
    if "--help" in arguments or "-h" in arguments:
        print(usage([config_dir()]))
        return DONE
    asked = _parsed(arguments)
    if (asked.multirun and not asked.cfg) or any(map(key_of, asked.overrides)):
        return _sweep(asked)
    if asked.cfg == "job" and not (asked.package or asked.resolve):
        return _show(asked)
    if asked.cfg or asked.info or asked.hydra_help or asked.shell_completion:
        return _hydra(asked)
    return _single(asked.overrides, asked.config_dir)


def _parsed(arguments: Sequence[str]) -> Any:
    """The flags that Hydra knows and those of them that exist here; `flags`: all but the overrides, as they came.

    Raises:
        ConfigError: naming every other one.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.allow_abbrev = False
    parser.prog, parser.usage = "runner", "python -m runner [group=choice ...] [key=value ...]; see --help"
    parsed, unknown = parser.parse_known_intermixed_args(list(arguments))
    given = {"--config-name": parsed.config_name, "--config-path": parsed.config_path}
    given["--experimental-rerun"] = parsed.experimental_rerun  # a pickle
    wrong = [*unknown, *(name for name, value in given.items() if value)]
    if wrong:
        raise ConfigError([f"{text}  is no option; see --help" for text in wrong])
    if parsed.shell_completion and "query=" in " ".join(parsed.overrides) and "COMP_LINE" not in os.environ:
        raise ConfigError('-sc query  is asked by the shell: eval "$(python -m runner -sc install=bash)" sets it up')
    parsed.flags = list(arguments)
    for text in reversed(parsed.overrides):  # from the end: --config-dir may have a value that looks the same
        del parsed.flags[len(parsed.flags) - 1 - parsed.flags[::-1].index(text)]
    return parsed


def _single(overrides: Sequence[str], also: str | None) -> int:
    from runner.compose import compose
    from runner.config import freeze

    _run(freeze(compose(overrides, also)), overrides)
    return DONE


def _run(config: Config, overrides: Sequence[str]) -> Result:
    from runner.experiment import run
    from runner.summary import shown_again, summary
    from runner.terminal import Terminal

    terminal = Terminal()
    try:
        result = run(config, terminal, overrides)
        if not result.fresh:
            terminal.phase(shown_again(config, result.directory))
            if config.answers:
                terminal.again(result.lines())
    finally:
        terminal.close()
    for told in "", *summary(result.directory, result.metrics):
        terminal.phase(told)
    return result


def _show(asked: Any) -> int:
    from omegaconf import OmegaConf

    from runner.compose import compose

    print(OmegaConf.to_yaml(compose(asked.overrides, asked.config_dir)), end="")
    return DONE


def _sweep(asked: Any) -> int:
    """A sweeper makes the jobs and a launcher runs them; one that fails costs only itself."""
    from runner.sweep.options import split
    from runner.sweep.plugins import chosen, is_plugin
    from runner.sweep.sweep import Sweep, resumed, show

    options, rest = split(asked.overrides, asked.multirun)
    if options.show is not None:
        for line in show(options):
            print(visible(line))
        return DONE
    if options.resume is not None:
        options, rest, asked.config_dir = resumed(options, rest)
        asked.flags = ["-m", *(flag for flag in asked.flags if flag not in ("-m", "--multirun"))]
    elif not asked.multirun:
        raise ConfigError("sweep  add -m: these options are of several runs")
    plugins = [text for text in rest if is_plugin(text)]
    asked.overrides, limits = chosen(plugins, asked.config_dir)  # its jobs are composed by the sweep
    sweep = Sweep(options, [text for text in rest if text not in plugins], plugins, limits, asked.config_dir)
    _hydra_main(asked, sweep)
    if sweep.error is not None:
        raise sweep.error
    return sweep.code


def _hydra(asked: Any) -> int:
    """What Hydra can tell: its flags, the configuration with its own section, completion."""
    from runner.compose import compose

    if not asked.shell_completion:  # what is being typed cannot be checked yet
        compose(asked.overrides, asked.config_dir)
    _hydra_main(asked, lambda composed: None)
    return DONE


def _hydra_main(asked: Any, job: Callable[[DictConfig], None]) -> None:
    import hydra

    from runner.compose import register
    from runner.grammar import prepared
    from runner.usage import config_dir

    register()
    before, sys.argv = sys.argv, ["runner", *asked.flags, *prepared(asked.overrides)]
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", version_base="1.3")(job)()
    finally:
        sys.argv = before


def _told(error: RunnerError) -> str:
    from runner.secret import redacted

    text = str(redacted(str(error)))
    if isinstance(error, Stopped):
        text += "; the same command goes on"
    elif "\n" not in text:
        text = f"{type(error).__name__}: {text}"
    return visible("\n".join([text, *_notes(error)]))


def _notes(error: BaseException) -> list[str]:
    """What was added to an error on its way: where the run is kept."""
    return [visible(note) for note in getattr(error, "__notes__", ())]


def _forget_working_directory() -> None:
    """`python -m` puts the working directory first on the path: plugins lying there must not be imported."""
    try:
        here = os.getcwd()
    except FileNotFoundError:  # it has been deleted
        here = ""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if path not in ("", here) or (path == here and here == own)]


if __name__ == "__main__":
    sys.exit(main())
