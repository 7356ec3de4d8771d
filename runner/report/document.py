"""A page that needs nothing but itself: its style and script stand in it, and no other script can run."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.report.markup import Markup, tag

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Look:
    """How a page looks and moves: the report's style and script, and what a page adds to them.

    Fields:
        styles: files of CSS.
        scripts: files of JavaScript in this order, in one scope of their own.
    """

    styles: Sequence[Path] = ()
    scripts: Sequence[Path] = ()

    @property
    def style(self) -> str:
        """CSS."""
        return "".join(path.read_text("utf-8") for path in (HERE / "style.css", *self.styles))

    @property
    def script(self) -> str:
        """JavaScript; the report's own comes last: it says that the page is ready."""
        added = "".join(path.read_text("utf-8") for path in self.scripts)
        scoped = f'"use strict";\n(() => {{\n{added}}})();\n' if added else ""
        return scoped + (HERE / "script.js").read_text("utf-8")


def document(title: str, look: Look, *content: Markup) -> str:
    """The whole page."""
    digest = base64.b64encode(hashlib.sha256(look.script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"  # no other script can run
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", title),
        tag("style", Markup(look.style)),
    )
    body = tag("body", *content, tag("script", Markup(look.script)))
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def embedded(name: str, value: Any) -> Markup:
    """Plain data for the page's script; nothing in it can end the element, and what is not finite is null."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return tag("script", Markup(text.replace("<", "\\u003c")), type="application/json", id=name)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
