"""What a run shows while it works: answers as they come, a bar, one line a phase. Plain text off a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import visible
from runner.phrase import phrase
from runner.report.verse import prompt_length
from runner.types import Row

SHOWN = 20  # answers printed in full; the others are in predictions.jsonl
PROMPT = 16  # cells of the column of prompts
HELD_S = 2.0  # seconds that an answer waits for those of the rows before it
PLAIN_S = 10.0  # seconds between progress lines off a terminal
REFRESH_S = 0.1  # seconds between movements of the bar


@dataclass(frozen=True)
class Held:
    """An answer that waits for those of the rows before it."""

    prompt: str
    texts: Sequence[str | None]
    since: float  # seconds, monotonic


class Terminal:
    """The observer behind the command line."""

    def __init__(self) -> None:
        self.console = _console()
        self.held: dict[int, Held] = {}
        self.following: int | None = None  # the row whose answer comes next if all come in order
        self.numbered = False  # from the first answer that is out of order
        self.shown = 0
        self.unshown = 0
        self.bar: Any = None
        self.tasks: dict[str, Any] = {}  # of the bar, by the name of the work
        self.told: dict[str, tuple[float, int | None]] = {}  # name -> when it was last shown, and what was done then

    def phase(self, line: str) -> None:
        """Print one line."""
        self.console.print(visible(line), markup=False)

    def answer(self, row: Row, prediction: Any) -> None:
        """Print an answer in the order of the rows if that takes no waiting; numbers come later."""
        texts = [one and phrase(one) for one in (prediction if isinstance(prediction, list) else [prediction])]
        if prediction is not None and None in texts:
            return
        index = row.get("row", self.shown + len(self.held))
        if self.shown >= SHOWN:
            self.unshown += 1
        else:
            self.held[index] = Held(_given(row), texts, time.monotonic())
            self._release()

    def again(self, lines: Iterator[Mapping[str, Any]]) -> None:
        """Show the answers that predictions.jsonl holds as they were shown when they were made."""
        for line in lines:
            self.answer({"row": line["row"], **line["input"]}, line["prediction"])

    def progress(self, name: str, done: int, total: int | None, note: str, under_way: float = 0.0) -> None:
        """Move the bar; off a terminal a line now and then."""
        if name in ("generating", "answering") and self.following is None:
            self.following = done  # rows kept from before have been shown
        self._release()
        new, now = name not in self.told, time.monotonic()
        last, before = self.told.setdefault(name, (now, None))
        if self._plain and ((done == total != before) or (done >= 1 and now - last > PLAIN_S)):
            self.told[name] = now, done
            self.phase(f"{name} {_of(done, total)}{note and f' · {note}'}")
        elif not self._plain and (new or done == total or now - last > REFRESH_S):
            self.told[name] = now, done
            self._bar(name, total).update(
                self.tasks[name],
                completed=min(done + under_way, total or 0),
                of=_of(done, total),
                note=note and f"· {note}",
            )

    def close(self) -> None:
        """Show what was held back, and leave the terminal as it was."""
        self._release(everything=True)
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
        if self.unshown:
            self.phase(f"… {self.unshown:,} more in predictions.jsonl")
            self.unshown = 0

    @property
    def _plain(self) -> bool:
        return not self.console.is_terminal

    def _release(self, everything: bool = False) -> None:
        """Print the answers whose turn it is; what has waited long enough is printed with its row's number."""
        while self.held:
            first = min(self.held)
            late = len(self.held) >= SHOWN or time.monotonic() - min(h.since for h in self.held.values()) > HELD_S
            if first != (self.following or 0):
                if not late and not everything:
                    return
                self.numbered = True
            held = self.held.pop(first)
            self.following = first + 1
            if self.shown < SHOWN:
                self.shown += 1
                self._print(first, held)
            else:
                self.unshown += 1

    def _print(self, row: int, held: Held) -> None:
        if self.shown == 1:
            self.phase("")
        number = f"{row:>4}  " if self.numbered else "  "
        for place, text in enumerate(held.texts):
            self._print_text(number if place == 0 else " " * len(number), held.prompt if place == 0 else "", text, held)

    def _print_text(self, number: str, prompt: str, text: str | None, held: Held) -> None:
        """A text beside its prompt; all its lines begin in the same column."""
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        prompt = visible(" ".join(prompt.split()))
        if cell_len(prompt) > PROMPT:
            prompt = set_cell_size(prompt, PROMPT - 1).rstrip() + "…"
        given = prompt_length(held.prompt, text or "")
        body = Text.assemble((visible((text or "")[:given]), "dim"), visible((text or "")[given:]))
        if text is None:
            body = Text.assemble(("skipped: predictions.jsonl says why", "yellow"))
        head = Text.assemble((number, "dim"), set_cell_size(prompt, PROMPT), "  ")
        for line in self._lines(body, cell_len(head.plain)):
            self.console.print(head + line)
            head = Text(" " * cell_len(head.plain))

    def _lines(self, body: Any, indent: int) -> Iterator[Any]:
        """Its lines; on a terminal as long as fit beside the indent."""
        if self._plain:
            yield from body.split("\n", allow_blank=True) or [body]
        else:
            yield from body.wrap(self.console, max(20, self.console.width - indent))

    def _bar(self, name: str, total: int | None) -> Any:
        """The bars on the screen, with one for this work among them."""
        from rich.progress import BarColumn, Progress, TextColumn

        if self.bar is None:
            texts = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[of]}"))
            name_column, of_column = texts
            note_column = TextColumn("{task.fields[note]}", style="dim", markup=False)
            self.bar = Progress(name_column, BarColumn(), of_column, note_column, console=self.console)
            self.bar.start()
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=total, of="", note="")
        return self.bar


def _console() -> Any:
    from rich.console import Console

    class GoesOn(Console):
        def on_broken_pipe(self) -> None:
            """Whoever read the output has left (`| head`): the work goes on unseen."""
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return GoesOn(highlight=False, soft_wrap=True, emoji=False)


def _of(done: int, total: int | None) -> str:
    return f"{done:,}/{'?' if total is None else f'{total:,}'}"


def _given(row: Row) -> str:
    """The texts of a row that its answer is about."""
    texts = [
        row[name] for name in ("question", "text", "source", "sentence1", "query") if isinstance(row.get(name), str)
    ]
    words = row.get("tokens")
    return texts[0] if texts else " ".join(map(str, words)) if isinstance(words, list) else ""
