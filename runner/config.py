"""The typed schema of every option, and `freeze`, which turns a composed configuration into a checked `Config`."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.build import build
from runner.decode import DecodeConfig, decode_problems
from runner.errors import ConfigError
from runner.guard import code_problems, interpolation_problems
from runner.secret import secrets
from runner.task import Task
from runner.types import Rule

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class TaskConfig:
    """A row of the task table; the callables are named by `_target_`."""

    name: str
    auto_class: str  # the class of transformers that is instantiated
    processor_class: str = "AutoTokenizer"
    columns: dict[str, list[str] | None] = field(default_factory=dict)  # canonical name: names it goes by elsewhere
    target: str | None = None  # the column of what is right: needed to evaluate and to train
    predict: dict[str, Any] = field(default_factory=dict)  # a runner.task.Way
    evaluate: dict[str, Any] | None = None  # a runner.task.Way; null: evaluated as it predicts
    teach: dict[str, Any] | None = None  # null: runs, but cannot be fine-tuned


@dataclass
class CheckpointConfig:
    """Where weights and tokenizer come from."""

    name_or_path: str | None = None  # an embedded name, a folder, or a hub id
    revision: str | None = None  # branch, tag or commit of a hub id
    tokenizer: str | None = None  # another source for the tokenizer; a folder, a hub id or a vocab.txt
    architecture: dict[str, Any] | None = None  # model_type and its options: random weights, nothing is loaded
    options: dict[str, Any] = field(default_factory=dict)  # further arguments of from_pretrained
    trust_remote_code: bool = False


@dataclass
class DataConfig:
    """Where rows come from."""

    path: str | None = None  # a file, a folder of split files, a hub id, or asset:<name>
    prompts: list[str] | None = None  # rows given in the configuration itself
    columns: dict[str, str] = field(default_factory=dict)  # canonical name -> name in the data
    name: str | None = None  # configuration of a hub dataset
    revision: str | None = None  # branch, tag or commit of a hub dataset
    split: str | None = None  # null: test, else the only one
    train_split: str = "train"
    validation_split: str | None = None  # null: valid, validation or dev, else a share of train
    validation_share: float = 0.02  # of the train rows, when no validation split exists
    limit: int | None = None  # rows, of the rows split and of train; a validation split of its own is read whole
    on_bad_row: str = "error"  # error | skip (written to rejected.jsonl)
    on_long_row: str | None = None  # error | truncate (a prompt's beginning, else its end) | skip; null: see the task
    window_rows: int = 256  # rows held in memory and sorted by length


@dataclass
class EngineConfig:
    """How the work is done; in float32 nothing here changes a generated text."""

    dtype: str = "float32"  # float32 | bfloat16 | float16 | auto (by a short probe)
    quantize: str | None = None  # int8 (linear layers, on a processor; the share of answers that it changes is told)
    device: str = "auto"  # auto | cpu | cuda | cuda:1 ...
    threads: int | None = None  # processor; null: OMP_NUM_THREADS, else 1 to generate with few weights, else all cores
    attention: str | None = None  # sdpa | eager | ...; null: the architecture's default
    slots: int | None = None  # rows generated at a time; null: as many as a short probe finds to pay
    batch_tokens: int = 1024  # padded tokens in a batch of a forward pass
    memory_mb: int | None = None  # most MiB of key-value cache; null: a quarter of what is free


@dataclass
class LoraConfig:
    """Matrices of low rank beside the weights, which stay as they are."""

    rank: int = 8
    alpha: int = 16  # their product is multiplied by alpha / rank
    dropout: float = 0.0  # of what goes into them
    targets: list[str] | None = None  # names of layers, or ends of names; null: every linear layer of the body
    variant: str = "lora"  # lora | dora (directions and lengths apart) | rslora (alpha over the root of the rank)
    merge: bool = True  # checkpoint/ holds plain weights; false: the adapter alone


@dataclass
class TrainConfig:
    """Fine-tuning, or training from random weights."""

    method: str = "none"  # none | full | lora | head (what lies outside of the body)
    lora: LoraConfig = field(default_factory=LoraConfig)
    frozen_layers: int = 0  # full: so many of the first layers, and the embeddings below them, stay as they are
    max_steps: int | None = None  # optimizer steps; null: by epochs
    epochs: float = 1.0
    batch_size: int = 32  # rows in an optimizer step
    batching: str = "packed"  # packed: texts side by side, no padding | length: micro-batches of like lengths | padded
    micro_batch_tokens: int = 2048  # tokens in one forward and backward pass, padding included
    block_tokens: int | None = None  # longest piece of a text; null: the model's context, at most 1024
    optimizer: str = "adamw"  # adamw | muon (matrices; the rest by adamw)
    learning_rate: float = 5e-5
    matrix_learning_rate: float | None = None  # muon: of the matrices; null: learning_rate
    schedule: str = "cosine"  # linear | cosine | constant | constant_with_warmup
    warmup_share: float = 0.03  # of all steps
    weight_decay: float = 0.01
    adam_beta2: float = 0.999
    max_grad_norm: float = 1.0
    precision: str = "float32"  # float32 | bfloat16 (autocast; master weights stay float32)
    save_every: int = 200  # steps
    evaluate_every: int = 200  # steps
    log_every: int = 10  # steps
    metric: str = "loss"  # a number of task.evaluate on the validation split; chooses the best checkpoint
    patience: int | None = None  # evaluations without a better metric before training stops
    export_dtype: str | None = None  # of the saved weights; null: as trained
    arguments: dict[str, Any] = field(default_factory=dict)  # further TrainingArguments


@dataclass
class Config:
    """One experiment. `fingerprint.determining` tells which options make the fingerprint."""

    task: TaskConfig
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    data: DataConfig = field(default_factory=DataConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    mode: str | None = None  # predict | evaluate; null: evaluate after training, else predict
    seed: int = 0
    rerun: bool = False  # run again what is already done
    output_dir: str = "outputs"
    name: str | None = None  # a human name, kept in the manifest

    @property
    def trains(self) -> bool:
        """Whether weights are trained before rows are answered."""
        return self.train.method != "none"

    @property
    def evaluates(self) -> bool:
        """Whether rows are scored against themselves or their targets instead of being answered."""
        return self.mode == "evaluate" or (self.mode is None and self.trains)

    @property
    def generates(self) -> bool:
        """Whether rows are answered by decoding, instead of by a forward pass."""
        way = (self.task.evaluate or self.task.predict) if self.evaluates else self.task.predict
        return bool(way.get("generates", False))

    @property
    def rounds(self) -> bool:
        """Whether a generated text, too, depends on the rows that are decoded together."""
        return self.engine.dtype != "float32" or self.engine.quantize is not None

    @property
    def answers(self) -> bool:
        """Whether what is said of each row is an answer for people, and no step on the way to a number."""
        return self.generates or not self.evaluates

    @property
    def on_long_row(self) -> str:
        """What is done with a row longer than the context: a prompt without its beginning may be another question."""
        return self.data.on_long_row or ("error" if self.generates else "truncate")


CHOICES = {
    "mode": ("predict", "evaluate", None),
    "data.on_bad_row": ("error", "skip"),
    "data.on_long_row": ("error", "truncate", "skip", None),
    "engine.dtype": ("float32", "bfloat16", "float16", "auto"),
    "engine.quantize": ("int8", None),
    "train.method": ("none", "full", "lora", "head"),
    "train.lora.variant": ("lora", "dora", "rslora"),
    "train.batching": ("packed", "length", "padded"),
    "train.optimizer": ("adamw", "muon"),
    "train.schedule": ("linear", "cosine", "constant", "constant_with_warmup"),
    "train.precision": ("float32", "bfloat16"),
    "train.export_dtype": ("float32", "bfloat16", "float16", None),
}

LAWS: dict[str, tuple[str, Callable[[Any], bool]]] = {  # key: (law in words, test); None always passes
    "task.name": ("only letters, digits and _", lambda v: bool(re.fullmatch(r"\w{1,60}", v))),
    "seed": ("0 <= seed < 2**32", lambda v: 0 <= v < 2**32),
    "output_dir": ("at most 200 bytes in each part, 3,000 in all", lambda v: _fits(v)),
    "data.limit": ("limit >= 1", lambda v: v >= 1),
    "data.window_rows": ("window_rows >= 1", lambda v: v >= 1),
    "data.validation_share": ("0 < validation_share < 1", lambda v: 0 < v < 1),
    "engine.device": ("auto, cpu, cuda or cuda:<number>", lambda v: bool(re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", v))),
    "engine.threads": ("1 <= threads <= 1024", lambda v: 1 <= v <= 1024),
    "engine.slots": ("1 <= slots <= 65536", lambda v: 1 <= v <= 65536),
    "engine.batch_tokens": ("batch_tokens >= 1", lambda v: v >= 1),
    "engine.memory_mb": ("memory_mb >= 1", lambda v: v >= 1),
    "train.lora.rank": ("rank >= 1", lambda v: v >= 1),
    "train.lora.alpha": ("alpha >= 1", lambda v: v >= 1),
    "train.lora.dropout": ("0 <= dropout < 1", lambda v: 0 <= v < 1),
    "train.frozen_layers": ("frozen_layers >= 0", lambda v: v >= 0),
    "train.max_steps": ("max_steps >= 1", lambda v: v >= 1),
    "train.epochs": ("0 < epochs < infinity", lambda v: 0 < v < math.inf),
    "train.batch_size": ("1 <= batch_size <= 1,000,000", lambda v: 1 <= v <= 1_000_000),
    "train.micro_batch_tokens": ("micro_batch_tokens >= 1", lambda v: v >= 1),
    "train.block_tokens": ("block_tokens >= 2", lambda v: v >= 2),
    "train.learning_rate": ("learning_rate > 0", lambda v: v > 0),
    "train.matrix_learning_rate": ("matrix_learning_rate > 0", lambda v: v > 0),
    "train.warmup_share": ("0 <= warmup_share < 1", lambda v: 0 <= v < 1),
    "train.weight_decay": ("weight_decay >= 0", lambda v: v >= 0),
    "train.adam_beta2": ("0 < adam_beta2 < 1", lambda v: 0 < v < 1),
    "train.max_grad_norm": ("max_grad_norm > 0", lambda v: v > 0),
    "train.save_every": ("save_every >= 1", lambda v: v >= 1),
    "train.evaluate_every": ("evaluate_every >= 1", lambda v: v >= 1),
    "train.log_every": ("log_every >= 1", lambda v: v >= 1),
    "train.patience": ("patience >= 1", lambda v: v >= 1),
}

OWN = {  # TrainingArguments that would write elsewhere or call elsewhere: where they are set instead
    "output_dir": "set output_dir",
    "logging_dir": "training.jsonl lies in the run directory",
    "resume_from_checkpoint": "the same command resumes",
    "seed": "set seed",
    "data_seed": "set seed",
    "report_to": "nothing is sent anywhere",
    "push_to_hub": "nothing is uploaded",
    "hub_model_id": "nothing is uploaded",
    "hub_token": "nothing is uploaded",
    "trackio_space_id": "nothing is uploaded",
}

SURROGATE = re.compile("[\ud800-\udfff]")


def freeze(composed: DictConfig) -> Config:
    """The composed configuration as plain dataclasses, every rule checked.

    Raises:
        ConfigError: naming every broken rule at once.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    found = interpolation_problems(OmegaConf.to_container(composed, resolve=False))
    if found:
        raise ConfigError(found)
    try:
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}") from error
    assert isinstance(config, Config), type(config)
    return checked(config)


def checked(config: Config, changed: Collection[str] | None = None) -> Config:
    """The same, every rule checked.

    Args:
        config: whole.
        changed: the sections that are new, where all others have been checked; None: all.

    Raises:
        ConfigError: naming every broken rule at once.
    """
    found = problems(config, changed)
    if found:
        raise ConfigError(found)
    return config


def problems(config: Config, changed: Collection[str] | None = None) -> list[str]:
    """Every broken rule, one line each: the key, the law and the values; see checked."""
    values = {name: _plain(value) for name, value in vars(config).items() if changed is None or name in changed}
    found = [*secrets(values), *_choices(config), *_laws(config), *decode_problems(config.decode)]
    found += [*_across(config), *_code(values), *_not_text(values)]
    if changed is not None and not {"task", "train", "mode", "data"}.intersection(changed):
        return found
    try:
        task = Task.build(config.task)
    except ConfigError as error:
        return found + error.problems
    if config.trains and task.teach is None:
        found.append(f"train.method  task {task.name} has no training format (task.teach is null): it only runs")
    if config.trains and config.train.metric not in {"loss", *task.evaluate.numbers}:
        known = ", ".join(dict.fromkeys(["loss", *task.evaluate.numbers]))
        found.append(f"train.metric  {config.train.metric} is no number of task {task.name}; known: {known}")
    elif config.trains and config.train.metric != "loss" and not task.taught_rows_evaluate:
        columns = ", ".join(task.evaluate.encode.columns)
        found.append(f"train.metric  must be loss: task.teach reads other columns than the evaluation ({columns})")
    return found


def _code(values: Mapping[str, Any]) -> list[str]:
    """Names of code where nothing is built from a name, and a rule that cannot be built."""
    decode = values.get("decode", {})
    rule = decode.get("rule")
    rest = {name: section for name, section in values.items() if name != "task"}  # Task.build
    found = list(code_problems(rest | {"decode": {**decode, "rule": None}}))
    if rule is not None:
        try:
            build(rule, "decode.rule", Rule)
        except ConfigError as error:
            found += error.problems
    return found


def plain(config: Any) -> dict[str, Any]:
    """A dataclass as nested dictionaries, lists and numbers.

    dataclasses.asdict copies each number, too, which is a fourth of the time that a job of a sweep takes to compose.
    """
    return {name: _plain(value) for name, value in vars(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return plain(value) if dataclasses.is_dataclass(value) else value


def _not_text(value: Any, path: str = "") -> list[str]:
    """Strings that came from bytes which were not UTF-8: no file of a run could hold them."""
    if isinstance(value, Mapping):
        return [line for key, inner in value.items() for line in _not_text(inner, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [line for inner in value for line in _not_text(inner, path)]
    found = next((text for text in (path, value) if isinstance(text, str) and SURROGATE.search(text)), None)
    return [] if found is None else [f"{ascii(path)[1:-1]}  is not UTF-8 text: {ascii(found)[:80]}"]


def _fits(path: str) -> bool:
    """Whether a file system takes the path, and a run's names below it."""
    parts = os.fsencode(SURROGATE.sub("?", path)).split(b"/")
    return sum(map(len, parts)) <= 3000 and max(map(len, parts)) <= 200 and "\0" not in path


def _get(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return config


def _choices(config: Config) -> list[str]:
    return [
        f"{key}  must be one of {', '.join('null' if c is None else c for c in known)}, but got {_get(config, key)}"
        for key, known in CHOICES.items()
        if _get(config, key) not in known
    ]


def _laws(config: Config) -> list[str]:
    return [
        f"{key}  {law} must hold, but got {_get(config, key)}"
        for key, (law, holds) in LAWS.items()
        if _get(config, key) is not None and not holds(_get(config, key))
    ]


def _across(config: Config) -> list[str]:
    """Rules between sections."""
    found = []
    data, checkpoint, train = config.data, config.checkpoint, config.train
    if data.prompts is not None and data.path is not None and not data.path.startswith("asset:"):
        found.append(f"data.prompts  stands beside data.path={data.path}: give one of them")
    if data.prompts is not None and config.trains:
        found.append("data.prompts  cannot be trained on: give data=<group> or data.path=<file or folder>")
    if data.prompts is None and data.path is None:
        found.append("data  is empty: give data.prompts=[...] or data.path=<file, folder or hub id>")
    if data.prompts == []:
        found.append("data.prompts  holds no rows")
    if checkpoint.architecture is None and not checkpoint.name_or_path:
        found.append("checkpoint.name_or_path  is empty: give an embedded name, a folder or a hub id")
    if checkpoint.architecture is not None and not checkpoint.architecture.get("model_type"):
        found.append("checkpoint.architecture.model_type  is missing, e.g. gpt2")
    if checkpoint.architecture is not None and not (checkpoint.tokenizer or checkpoint.name_or_path):
        found.append("checkpoint.tokenizer  is missing: random weights need a tokenizer from somewhere")
    if config.engine.quantize and (config.engine.dtype != "float32" or config.engine.device not in ("auto", "cpu")):
        found.append("engine.quantize  is for engine.dtype=float32 on a processor: its linear layers become int8")
    if config.trains and train.save_every % train.evaluate_every:
        found.append(
            f"train.save_every  must be a multiple of train.evaluate_every={train.evaluate_every},"
            f" but got {train.save_every}: the best checkpoint must have been saved"
        )
    found += [
        f"train.arguments.{name}  is not set here: {told}" for name, told in OWN.items() if name in train.arguments
    ]
    if train.optimizer == "muon" and "optim" in train.arguments:
        found.append("train.arguments.optim  stands beside train.optimizer=muon: give one of them")
    return found + _partly_trained(config)


def _partly_trained(config: Config) -> list[str]:
    """Rules of the methods that leave weights as they are."""
    found, train, method = [], config.train, config.train.method
    if train.frozen_layers and method not in ("none", "full"):
        found.append(f"train.frozen_layers  is for train.method=full: {method} leaves the whole body as it is")
    if method in ("lora", "head") and config.checkpoint.architecture is not None:
        found.append(f"train.method  {method} needs a trained body, but the weights are random: train=full")
    if train.lora.targets is not None and not (train.lora.targets and all(train.lora.targets)):
        found.append("train.lora.targets  holds no names of layers: give some, or null for every linear one")
    if method == "lora" and train.optimizer == "muon":
        found.append("train.optimizer  muon is for whole matrices, but lora trains parts of them: adamw")
    return found
