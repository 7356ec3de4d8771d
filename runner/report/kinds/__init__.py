"""What predictions look like: each kind knows its lines by their form, remembers what matters, and draws it."""

from runner.report.kinds.choice import Choice
from runner.report.kinds.entities import Entities
from runner.report.kinds.fills import Fills
from runner.report.kinds.kind import Kind
from runner.report.kinds.label_sets import LabelSets
from runner.report.kinds.labels import Labels
from runner.report.kinds.likelihood import Likelihood
from runner.report.kinds.numbers import Numbers
from runner.report.kinds.recovered import Recovered
from runner.report.kinds.similarity import Similarity
from runner.report.kinds.spans import Spans
from runner.report.kinds.vectors import Vectors
from runner.report.kinds.written import Written
from runner.report.lines import Known

__all__ = ["Kind", "kinds"]

# a line is of the first kind that takes it
ALL = (Labels, LabelSets, Choice, Entities, Spans, Fills, Recovered, Similarity, Vectors, Likelihood, Written, Numbers)


def kinds(known: Known) -> list[Kind]:
    """One of each kind, which has seen nothing yet."""
    return [kind(known) for kind in ALL]
