"""What matters: the share of the differences between jobs that each key accounts for, beside what chance gives."""

from __future__ import annotations

from runner.report.markup import Markup, clipped, many, tag, words
from runner.report.tables import percent
from runner.sweep.axes import measured
from runner.sweep.findings import Findings, said
from runner.sweep.importance import Share, importance
from runner.sweep.page.points import key_axes

SHOWN = 20  # keys
MEANS = (
    "A bar is what is no longer explained without the key: on a full grid the variance of the means of its values, in "
    "a search what only this key explains. The tick is what a key without any effect reaches in one case of twenty; "
    "pale bars cannot be told from chance (999 permutations of what the other keys leave, Freedman and Lane 1983; p "
    "corrected after Holm). A key counts only over the values that were tried."
)


def weights(findings: Findings) -> Markup:
    """The section; empty where there is nothing to be explained."""
    metric = findings.metric
    done = list({entry.job.id: entry for entry in findings.entries if metric in entry.metrics}.values())
    if metric is None or len(done) < 2:
        return Markup("")
    names = list(dict.fromkeys(key for entry in done for key in said(entry.job)))
    axes = [one for one in key_axes([entry.job for entry in done], names, findings.command) if one.several]
    if not axes:
        return Markup("")
    number = measured(metric, words(metric), [entry.metrics[metric].value for entry in done])
    found = importance(axes, [number.place(value) for value in number.known])
    what = f"{'the logarithm of ' if number.log else ''}{words(metric)}"
    if not found.shares:
        short = found.jobs < found.needed
        told = (f"{many(found.jobs, 'job')} are too few to tell which of {many(len(axes), 'key')} matters: at least "
                f"{found.needed} are needed." if short else f"All jobs have the same {words(metric)}.")  # fmt: skip
        return tag("section", tag("h2", "What matters"), tag("p", told), id="weights")
    rows = [_row(one) for one in found.shares[:SHOWN]]
    heads = [("key", None), ("share of the differences", "picture"), ("", "number"), ("p", "number")]
    head = tag("thead", tag("tr", *(tag("th", text, scope="col", class_=look) for text, look in heads)))
    told = (f"Of how {what} differs between {many(found.jobs, 'job')}, all keys together explain "
            f"{percent(found.together)} as a sum of what each contributes; the rest is keys acting together, and "
            f"noise.")  # fmt: skip
    return tag(
        "section", tag("h2", "What matters"), tag("p", told),
        tag("div", tag("table", head, tag("tbody", *rows), class_="weights"), class_="scroll"),
        tag("p", MEANS, class_="quiet"),
        id="weights",
    )  # fmt: skip


def _row(one: Share) -> Markup:
    sure = one.p < 0.05
    style = f"--v:{min(max(one.share, 0.0), 1.0):.3f};--t:{min(one.chance, 1.0):.3f}"
    bar = tag("span", class_="weight" if sure else "weight pale", style=style,
              title=f"{percent(one.share)}; by chance up to {percent(one.chance)}")  # fmt: skip
    p = "<0.01" if one.p < 0.01 else f"{one.p:.2f}"
    return tag("tr", tag("th", clipped(one.axis.name, 60), scope="row", title=one.axis.key),
               tag("td", bar, class_="picture"), tag("td", percent(one.share), class_="number"),
               tag("td", p, class_="number"))  # fmt: skip
