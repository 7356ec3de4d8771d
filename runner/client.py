"""The hub's client: its token comes from the environment only, and its name tells nothing about this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def token() -> str | bool:
    """HF_TOKEN; False keeps the library from looking for one that was stored."""
    return os.environ.get("HF_TOKEN") or False


def client() -> HfApi:
    """For requests and downloads."""
    from huggingface_hub import HfApi

    return HfApi(token=token(), headers={"user-agent": "runner"})
