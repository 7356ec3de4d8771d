"""A task is a row of a table: which Auto class, how rows become features, how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.build import build
from runner.errors import ConfigError, nearest
from runner.types import Encode, Export, Interpret, Metric, Teach

if TYPE_CHECKING:
    from runner.config import TaskConfig


@dataclass(frozen=True)
class Way:
    """One way through the network: features in, answers and their scores out."""

    encode: Encode
    interpret: Interpret
    generates: bool = False  # the network is called with generate instead of forward
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    export: Export | None = None  # further files made from all answers

    @property
    def numbers(self) -> dict[str, bool]:
        """The numbers that all metrics give, and whether a larger one is better."""
        return {name: larger for metric in self.metrics.values() for name, larger in metric.numbers().items()}

    @property
    def parts(self) -> dict[str, str | tuple[str, str]]:
        """What each number is of the scores of a row; see Metric."""
        return {name: part for one in self.metrics.values() for name, part in getattr(one, "parts", {}).items()}

    @property
    def perfect(self) -> dict[str, float]:
        """What a row has in a number that cannot have a better one; see Metric."""
        return {name: best for one in self.metrics.values() for name, best in getattr(one, "perfect", {}).items()}

    @staticmethod
    def build(node: Mapping[str, Any], where: str) -> Way:
        """Instantiate the callables of a way; raises ConfigError with every problem at once."""
        known = ("encode", "interpret", "generates", "metrics", "export")
        wrong = [f"{where}.{key}  no such key; {nearest(key, known)}" for key in node if key not in known]
        if wrong:
            raise ConfigError(wrong)
        return Way(
            encode=build(node.get("encode") or {}, f"{where}.encode", Encode),
            interpret=build(node.get("interpret") or {}, f"{where}.interpret", Interpret),
            generates=bool(node.get("generates", False)),
            metrics={
                name: build(metric, f"{where}.metrics.{name}", Metric)
                for name, metric in (node.get("metrics") or {}).items()
                if metric is not None
            },
            export=build(node["export"], f"{where}.export", Export) if node.get("export") else None,
        )


@dataclass(frozen=True)
class Task:
    """What one Auto class is for.

    Fields:
        columns: canonical names of columns, and the names that they go by in other data.
        target: the canonical column of what is right; needed to evaluate and to train.
    """

    name: str
    auto_class: str
    processor_class: str
    predict: Way
    evaluate: Way
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    target: str | None = None
    teach: Teach | None = None  # None: runs, but cannot be fine-tuned

    @property
    def taught_rows_evaluate(self) -> bool:
        """Whether the rows that teach hold all that is evaluated, if they have what is optional."""
        if self.teach is None:
            return False
        return set(self.evaluate.encode.columns) <= {*self.teach.columns, *self.teach.optional}

    def validates_by_loss_alone(self, metric: str) -> bool:
        """Whether a training whose best weights are chosen by `metric` takes no other number in its middle.

        It is so where answers are generated, which takes long, and where the rows that teach do not hold what is
        evaluated.
        """
        return metric == "loss" and (self.evaluate.generates or not self.taught_rows_evaluate)

    @staticmethod
    def build(config: TaskConfig) -> Task:
        """The task that the configuration describes; raises ConfigError."""
        predict = Way.build(config.predict, "task.predict")
        return Task(
            name=config.name,
            auto_class=config.auto_class,
            processor_class=config.processor_class,
            predict=predict,
            evaluate=Way.build(config.evaluate, "task.evaluate") if config.evaluate else predict,
            columns={name: list(others or ()) for name, others in config.columns.items()},
            target=config.target,
            teach=build(config.teach, "task.teach", Teach) if config.teach else None,
        )
