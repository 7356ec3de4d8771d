"""Silence of the libraries below: what matters, we say ourselves."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, log lines or warnings of the Hugging Face libraries; afterwards as it was before."""
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        _only_errors(stack, hub_logging)
        stack.callback(disable_progress_bars if are_progress_bars_disabled() else enable_progress_bars)
        disable_progress_bars()
        if "transformers" in sys.modules:
            _silence_transformers(stack)
        yield


def _silence_transformers(stack: ExitStack) -> None:
    from transformers.utils import logging

    bars: Any = logging
    _only_errors(stack, logging)
    if bars.is_progress_bar_enabled():
        bars.disable_progress_bar()
        stack.callback(bars.enable_progress_bar)


def _only_errors(stack: ExitStack, logging: Any) -> None:
    stack.callback(logging.set_verbosity, logging.get_verbosity())
    logging.set_verbosity_error()
