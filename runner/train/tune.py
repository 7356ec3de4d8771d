"""Fine-tuning, or training from random weights, that goes on where it was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.backends.adapter import save_adapter
from runner.backends.places import written
from runner.build import wrong_types
from runner.errors import ConfigError, RunFailed, nearest
from runner.files import naming, sync_files, sync_folder
from runner.quiet import quiet
from runner.stop import Stop
from runner.task import Task
from runner.train.adapt import adapt
from runner.train.corpus import Corpus
from runner.train.layout import Layout
from runner.train.seal import newest_sealed
from runner.types import Following, Teach

if TYPE_CHECKING:
    from runner.config import Config, TrainConfig


@dataclass(frozen=True)
class Course:
    """What a training needs besides the model: examples, a validation and where to keep its state."""

    task: Task
    corpus: Corpus
    held_out: Corpus  # examples whose loss is the validation's, where the task's own numbers have none
    numbers: Callable[[Any], Mapping[str, float]]  # of the task, over the validation rows
    directory: Path  # checkpoints go to directory/training, the result to directory/checkpoint
    observer: Following
    stop: Stop

    @property
    def teach(self) -> Teach:
        """How the task is taught."""
        assert self.task.teach is not None
        return self.task.teach

    def larger(self, metric: str) -> bool:
        """Whether a larger number is better."""
        return self.task.evaluate.numbers.get(metric, False)


def fine_tune(config: Config, model: Any, course: Course) -> None:
    """Train `model.network` in place and leave the best weights in directory/checkpoint.

    The module must be fresh: one that another Trainer has prepared keeps that Trainer's precision in silence.

    Raises:
        Stopped: on request, with a sealed checkpoint to go on from; without one if a search gave it up.
        RunFailed: when the loss is not a number.
    """
    state = course.directory / "training"
    state.mkdir(exist_ok=True)
    resume = newest_sealed(state, course.observer.phase)
    if resume is not None:
        step = resume.name.partition("-")[2]
        course.observer.phase(f"continuing at step {step} (sealed checkpoint)")
    tuner = adapt(config, model, course.observer.phase)
    uses_cache = getattr(model.network.config, "use_cache", None)  # encoders may have none
    try:
        with quiet():
            trainer = _trainer(config, model, course, state)
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    finally:
        if course.stop.for_good:
            shutil.rmtree(state)
    if uses_cache is not None:  # the Trainer turns it off for good
        model.network.config.use_cache = uses_cache
    reached, planned = trainer.state.global_step, trainer.state.max_steps
    if course.stop and (reached < planned or course.stop.for_good):
        raise course.stop.error(f"at step {reached} of {planned}")
    if reached < planned and not trainer.control.should_training_stop:
        raise RunFailed(f"training ended at step {reached} of {planned}")
    with quiet():
        export(config, model, tuner, course.directory / "checkpoint")
    shutil.rmtree(state)


def export(config: Config, model: Any, tuner: Any | None, folder: Path) -> None:
    """Save weights, tokenizer and configuration as a checkpoint that plain transformers loads, or as an adapter.

    Matrices of low rank are merged in float32; `tuner` is what `adapt` gave.
    """
    import torch

    train, checkpoint = config.train, config.checkpoint

    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    merging = tuner is None or train.lora.merge
    network = model.network if tuner is None or not merging else tuner.merge_and_unload()
    if train.export_dtype is not None:
        network = network.to(getattr(torch, train.export_dtype))
    with naming(aside):
        if merging:
            network.save_pretrained(aside)
        else:
            save_adapter(network, written(checkpoint.name_or_path or ""), model.commit, aside)
    model.processor.save_pretrained(aside)
    sync_files(aside)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)  # last: it is what makes the training done
    sync_folder(folder.parent)


def _trainer(config: Config, model: Any, course: Course, state: Path) -> Any:
    from transformers import PrinterCallback

    from runner.train.lesson import Lesson
    from runner.train.validation import Validation
    from runner.train.watch import Watch

    train = config.train
    history = course.directory / "training.jsonl"
    layout = _layout(train, model, course)
    trainer = Lesson(
        teach=course.teach,
        pupil=model,
        model=model.network,
        args=_arguments(config, course, state, model.network.device.type),
        train_dataset=course.corpus,
        eval_dataset=course.corpus,  # its place is taken by `validate`
        data_collator=layout,
        validate=Validation(course.task, course.held_out, course.numbers, model, layout, train, config.seed),
        optimizers=(_optimizer(train, model.network), None),
        callbacks=[
            Watch(history, course.observer, course.stop, train.metric, course.larger(train.metric), train.patience)
        ],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _layout(train: TrainConfig, model: Any, course: Course) -> Layout:
    """As asked for; where texts cannot lie side by side, those of like lengths share micro-batches."""
    from runner.engine.unpadded import why_padded

    batching, pad = train.batching, getattr(model.processor, "pad_token_id", None) or model.config.pad_token_id or 0
    if batching == "packed" and (reason := why_padded(model.network)):
        course.observer.phase(f"train.batching is length, not packed: {reason}")
        batching = "length"
    return Layout(batching, None if course.teach.whole_step else train.micro_batch_tokens, pad)


def check_arguments(train: TrainConfig) -> None:
    """Raises ConfigError when train.arguments holds what the library's TrainingArguments do not have."""
    from transformers import TrainingArguments

    known = list(TrainingArguments.__dataclass_fields__)
    wrong = [name for name in train.arguments if name not in known]
    problems = [f"train.arguments.{name}  no such argument; {nearest(name, known)}" for name in wrong]
    problems += wrong_types(TrainingArguments, train.arguments, "train.arguments")
    if problems:
        raise ConfigError(problems)
    with quiet(), _refusals_told():
        TrainingArguments(output_dir="unused", use_cpu=True, report_to="none", **train.arguments)


def _arguments(config: Config, course: Course, state: Path, device: str) -> Any:
    """TrainingArguments; raises ConfigError for what the library does not take."""
    from transformers import TrainingArguments

    train = config.train
    ours = {
        "output_dir": str(state),
        "max_steps": train.max_steps or -1,
        "num_train_epochs": train.epochs,
        "per_device_train_batch_size": train.batch_size,
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": train.schedule,
        "warmup_steps": train.warmup_share,  # below 1 it is a share of all steps
        "weight_decay": train.weight_decay,
        "adam_beta2": train.adam_beta2,
        "max_grad_norm": train.max_grad_norm,
        "optim": "adamw_torch_fused",
        "bf16": train.precision == "bfloat16",
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "seed": config.seed,
        "data_seed": config.seed,
        "eval_strategy": "steps",
        "eval_steps": train.evaluate_every,
        "save_strategy": "steps",
        "save_steps": train.save_every,
        "save_total_limit": 3,  # the best, and two in a row: rotation comes before the seal
        "load_best_model_at_end": True,
        "metric_for_best_model": f"eval_{train.metric}",
        "greater_is_better": course.larger(train.metric),
        "logging_steps": train.log_every,
        "logging_nan_inf_filter": False,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "report_to": "none",
    }
    with _refusals_told():
        return TrainingArguments(**ours | dict(train.arguments))


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What the library does not take is the user's mistake, whatever kind of error it makes of it."""
    try:
        yield
    except (ValueError, TypeError, ImportError, OSError) as error:
        raise ConfigError(f"train.arguments  {' '.join(str(error).split())[:200]}") from error


def _optimizer(train: TrainConfig, network: Any) -> Any:
    """None lets the Trainer make its AdamW."""
    if train.optimizer != "muon":
        return None
    import torch

    from runner.train.muon import Muon, groups

    each = groups(network, train.matrix_learning_rate, train.weight_decay)
    return Muon(each, train.learning_rate, (0.9, train.adam_beta2), dtype=getattr(torch, train.precision))
