"""What can go wrong and is told in one line: the law, the values, the remedy."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches

DONE, FAILED, REFUSED, STOPPED, INTERRUPTED = 0, 1, 2, 75, 130  # exit codes
KNOWN = 16  # names that an error message lists
# What would steer a terminal, reverse the reading direction or be no text at all; newline and tab stay.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class RunnerError(Exception):
    """An error that is shown without a traceback; `exit_code` is what the process returns."""

    exit_code = REFUSED


class ConfigError(RunnerError):
    """The configuration breaks a rule; all broken rules are told at once."""

    def __init__(self, problems: Sequence[str] | str):
        given = [problems] if isinstance(problems, str) else problems
        self.problems = [visible(problem).replace("\n", "\\n") for problem in given]
        super().__init__("\n".join(self.problems))

    def __str__(self) -> str:
        count = len(self.problems)
        told = [(key, rest.strip()) for key, _, rest in (problem.partition("  ") for problem in self.problems)]
        width = max((len(key) for key, rest in told if rest and len(key) <= 40), default=0)
        lines = [f"  {key:<{width}}  {rest}" if rest else f"  {key}" for key, rest in told]
        return "\n".join([f"{count} problem{'' if count == 1 else 's'} in the configuration:", *lines])


class DataError(RunnerError):
    """The data cannot be read, or a row breaks a rule."""


class CheckpointError(RunnerError):
    """The checkpoint cannot be loaded as it is."""


class RecordError(RunnerError):
    """A directory cannot be used: in use, not writable, or its inputs have changed.

    Fields:
        in_use: another process works in it.
        changed: names of the inputs that are others than those of the run in it.
    """

    def __init__(self, message: str, in_use: bool = False, changed: Sequence[str] = ()):
        super().__init__(message)
        self.in_use, self.changed = in_use, changed


class RunFailed(RunnerError):
    """The run began and could not be finished; what was written stays."""

    exit_code = FAILED


class Stopped(RunnerError):
    """The run was asked to stop and everything is resumable by the same command."""

    exit_code = STOPPED

    def __init__(self, message: str, interrupted: bool = False):
        super().__init__(message)
        self.exit_code = INTERRUPTED if interrupted else STOPPED


class Pruned(Stopped):
    """A search has given the run up: others are better."""


def nearest(name: str, known: Sequence[str]) -> str:
    """The known names nearest to a misspelled one, as the end of an error message."""
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    best = SequenceMatcher(None, name, close[0]).ratio() if close else 0.0
    close = [one for one in close if SequenceMatcher(None, name, one).ratio() > best - 0.1]  # as near as the nearest
    more = ", …" if len(known) > KNOWN else ""
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(sorted(known)[:KNOWN])}{more}"


def visible(text: str) -> str:
    """Control characters as escapes, so that no name, prompt or answer can steer a terminal."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
