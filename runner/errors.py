"""What can go wrong and is told in one line: the law, the values, the remedy."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

DONE, FAILED, REFUSED, STOPPED, INTERRUPTED = 0, 1, 2, 75, 130  # exit codes
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
        if count == 1:
            return self.problems[0]
        return f"{count} problems in the configuration:\n" + "\n".join(f"  {p}" for p in self.problems)


class DataError(RunnerError):
    """The data cannot be read, or a row breaks a rule."""


class CheckpointError(RunnerError):
    """The checkpoint cannot be loaded as it is."""


class RecordError(RunnerError):
    """The run directory cannot be used: in use, not writable, or its inputs have changed."""


class RunFailed(RunnerError):
    """The run began and could not be finished; what was written stays."""

    exit_code = FAILED


class Stopped(RunnerError):
    """The run was asked to stop and everything is resumable by the same command."""

    exit_code = STOPPED

    def __init__(self, message: str, interrupted: bool = False):
        super().__init__(message)
        self.exit_code = INTERRUPTED if interrupted else STOPPED


def nearest(name: str, known: Sequence[str]) -> str:
    """The known names nearest to a misspelled one, as the end of an error message."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(sorted(known)[:12])}"


def visible(text: str) -> str:
    """Control characters as escapes, so that no name, prompt or answer can steer a terminal."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
