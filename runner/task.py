"""A task is a row of a table: which Auto class, how rows become features, how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.build import build
from runner.errors import ConfigError, nearest
from runner.types import Encode, Interpret, Metric, Teach

if TYPE_CHECKING:
    from runner.config import TaskConfig


@dataclass(frozen=True)
class Way:
    """One way through the network: features in, answers and their scores out."""

    encode: Encode
    interpret: Interpret
    generates: bool = False  # the network is called with generate instead of forward
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, bool]:
        """The numbers that all metrics give, and whether a larger one is better."""
        return {name: larger for metric in self.metrics.values() for name, larger in metric.numbers().items()}

    @staticmethod
    def build(node: Mapping[str, Any], where: str) -> Way:
        """Instantiate the callables of a way; raises ConfigError with every problem at once."""
        known = ("encode", "interpret", "generates", "metrics")
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
        )


@dataclass(frozen=True)
class Task:
    """What one Auto class is for."""

    name: str
    auto_class: str
    processor_class: str
    predict: Way
    evaluate: Way
    teach: Teach | None = None  # None: runs, but cannot be fine-tuned

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
            teach=build(config.teach, "task.teach", Teach) if config.teach else None,
        )
