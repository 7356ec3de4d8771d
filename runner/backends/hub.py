"""A repository on the hub: its revision is resolved once, its files are fetched into the cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.client import client
from runner.errors import CheckpointError
from runner.quiet import quiet

if TYPE_CHECKING:
    from huggingface_hub import ResolvedRevision

ANSWER_S = 10.0  # how long the hub may take to answer before the cache is used
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Repository:
    """A repository at one commit; `reachable` is false when only the cache can serve it."""

    name: str
    revision: ResolvedRevision
    reachable: bool

    @property
    def commit(self) -> str:
        """The commit that the revision stands for."""
        return self.revision.resolved

    def fetch(self, patterns: Sequence[str]) -> Path:
        """The folder of this commit in the cache, holding every file of the root that matches.

        Raises:
            CheckpointError: when a file is refused or its download breaks off.
        """
        with _told(self.name, self.revision, fetching=True):
            return Path(
                client().snapshot_download(
                    self.name,
                    revision=self.revision,
                    allow_patterns=list(patterns),
                    ignore_patterns=["*/*"],
                    local_files_only=not self.reachable,
                )
            )


def resolve(name: str, revision: str | None, also: str = "") -> Repository:
    """The repository at the commit that the revision (default: the main branch) stands for.

    Without a connection the cache answers. `also` ends the message when nothing is found.

    Raises:
        CheckpointError: when neither the hub nor the cache has it.
    """
    with _told(name, revision, also):
        return _resolve(name, revision)


def _resolve(name: str, revision: str | None) -> Repository:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionResolutionError

    api = client()
    if revision is not None and COMMIT.fullmatch(revision) and _cached(name, revision):
        return Repository(name, api.resolve_revision(name, revision=revision), reachable=True)
    try:
        api.repo_info(name, revision=revision, timeout=ANSWER_S)
        return Repository(name, api.resolve_revision(name, revision=revision), reachable=True)
    except (httpx2.TransportError, OfflineModeIsEnabled, HfHubHTTPError) as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
            raise
        try:
            known = api.resolve_revision(name, revision=revision, local_files_only=True)
        except RevisionResolutionError:
            raise error from None
        if not _cached(name, known.resolved):
            raise
        return Repository(name, known, reachable=False)


def _cached(name: str, commit: str) -> bool:
    """Whether the cache has that commit's list of files; which of them it has is seen when they are fetched."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return bool(get_cached_repo_tree(name, revision=commit))
    except CachedRepoTreeNotFoundError:
        return False


@contextmanager
def _told(name: str, revision: str | None, also: str = "", fetching: bool = False) -> Iterator[None]:
    """The hub's errors in our words; while `fetching`, the hub was there a moment ago."""
    import httpx2
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{name}"
    try:
        with quiet():
            yield
    except errors.HFValidationError as error:
        raise CheckpointError(f"{name!r} is neither a folder here nor a name on the hub{also}") from error
    except errors.GatedRepoError as error:
        raise CheckpointError(f"{name!r} is gated: accept its terms on its page ({page}) and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{name!r} is neither a folder here nor a repository on the hub: check the spelling, give a local folder, "
            f"or set HF_TOKEN if it is private{also}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{name!r} has no revision {str(revision)!r}; see {page}/tree/main") from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(
            f"{name!r} is only partly in the local cache, and the hub cannot be reached: {_reason(error)}; "
            "run the same command again with a connection, it fetches what is missing"
        ) from error
    except errors.HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise CheckpointError(
                f"{name!r} refuses access ({error.response.status_code}): check HF_TOKEN and its permissions on {page}"
            ) from error
        raise CheckpointError(_failed(name, error, also, fetching)) from error
    except (httpx2.HTTPError, OSError, RuntimeError) as error:  # RuntimeError: hf_xet, or a client that was closed
        raise CheckpointError(_failed(name, error, also, fetching)) from error


def _failed(name: str, error: BaseException, also: str, fetching: bool) -> str:
    if fetching:
        again = "run the same command again, it fetches what is missing"
        return f"{name!r}: the download broke off: {_reason(error)}; {again}"
    return (
        f"{name!r} is neither a folder here nor in the local cache, and the hub cannot be reached: {_reason(error)}; "
        f"check the spelling or the connection, or give a local folder{also}"
    )


def _reason(error: BaseException) -> str:
    """The first line of the error at the bottom of the chain that comes from the connection."""
    import httpx2

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx2.HTTPError | ConnectionError):
            error = cause
        cause = cause.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
