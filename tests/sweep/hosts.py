"""A host that searches in a study, without runs."""

from __future__ import annotations

from runner.sweep.aims import Goal, SearchConfig
from runner.sweep.plan import Job
from runner.sweep.search import Search, opened
from runner.sweep.space import space
from runner.sweep.storage import storage
from runner.sweep.worker import Outcome


class Host:
    """One of several that search in a file, with the jobs that it was given."""

    def __init__(self, folder, name, begun=None, **options):
        self.options = SearchConfig(**({"n_trials": 6, "sampler": "random", "startup": 2} | options))
        drawn, kept = space(["a=range(0,3)", "b=1,2"], {}), storage(f"sqlite:///{folder}/trials.db", folder)
        goals, directory = [Goal("x", True)], folder / name
        directory.mkdir(exist_ok=True)
        self.jobs = {}
        self.search = Search(
            self.options, drawn, goals, kept, opened(self.options, goals, drawn, kept, "one"), f"{name}:{directory}",
            directory, self.composed, begun or {},
        )  # fmt: skip

    def composed(self, number, overrides, differs):
        self.jobs[number] = Job(number, number, "", overrides, differs, "", {"data": {}})
        return self.jobs[number]

    def end(self, job, value=1.0):
        self.search.ended(job, Outcome("done", f"runs/{job.number}", metrics={"x": {"value": value}}))

    def looked_at(self, job, value, step):
        """Whether the search gives the job up for what it has come to."""
        return self.search.reported(job, {"numbers": {"x": value}, "step": step, "rows": {}})
