"""A checkpoint is found and checked before anything heavy is imported or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backends import adapter, files
from runner.backends.architectures import check_fit
from runner.backends.options import check_options
from runner.backends.places import Place, place
from runner.backends.weights import BIN, SAFETENSORS, has_safetensors, weight_files
from runner.config import CheckpointConfig
from runner.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

RANDOM = " (random)"


@dataclass
class Source:
    """A checkpoint that was found and checked; nothing is loaded yet."""

    name: str  # what people call it: poem_gpt2, uer/gpt2-chinese-poem, a folder's name, gpt2 (random)
    folder: Path | None  # where its files lie; None: random weights
    commit: str | None  # of a hub id
    files: Mapping[str, str]  # name -> sha256 of every file that determines the result
    tokenizer_source: Path  # a folder, or a vocab.txt or tokenizer.json
    checkpoint: CheckpointConfig
    assistant: Source | None = None  # of the checkpoint that drafts tokens
    adapter: adapter.Adapter | None = None  # what is merged into the weights in `folder`

    def assisted_by(self, assistant: Source) -> Source:
        """The same, with a checkpoint that drafts tokens for it."""
        drafting = {f"assistant/{name}": digest for name, digest in assistant.files.items()}
        return replace(self, assistant=assistant, files={**self.files, **drafting})

    def named_after(self, base: Source) -> Source:
        """The same, as what training has made of another."""
        name = base.name.removesuffix(RANDOM)
        return replace(self, name=f"{name} ({'trained' if base.folder is None else 'fine-tuned'})")

    @cached_property
    def config(self) -> PreTrainedConfig:
        """The model's configuration; of random weights the sizes that its tokenizer decides are still the defaults.

        It is read when it is first needed, for it takes torch with it (2 s).

        Raises:
            CheckpointError: when the values are not what the architecture takes.
        """
        from runner.backends.configuration import random_config, stored_config

        if self.folder is None:
            return random_config(self.checkpoint.architecture or {})
        own = self.adapter.config_folder if self.adapter is not None else None
        return stored_config(own or self.folder, self.checkpoint)


def find(checkpoint: CheckpointConfig, auto_class: str) -> Source:
    """Where the checkpoint lies, once its files are known to be there, undamaged and fit for the class.

    Of a hub id the small files come first, so that a checkpoint that does not fit costs no long download.

    Raises:
        CheckpointError: in one line, with what to do.
        ConfigError: when transformers has no such class.
    """
    return _find(checkpoint, auto_class, as_base=False)


def _find(checkpoint: CheckpointConfig, auto_class: str, as_base: bool) -> Source:
    """See `find`; with `as_base` it is what an adapter was trained on, which cannot be another adapter."""
    check_options(checkpoint.options)
    if checkpoint.architecture is not None:
        return _random(checkpoint, auto_class)
    small = (*_small(checkpoint), adapter.CONFIG)
    found = place(checkpoint.name_or_path or "", checkpoint.revision, small, "checkpoint.name_or_path")
    where = f"checkpoint {found.path if found.repository is None else found.name}"
    if found.path.is_dir() and (found.path / adapter.CONFIG).is_file():
        if as_base:
            raise CheckpointError("it is an adapter itself: merge that one first")
        return _adapted(checkpoint, found, where, auto_class)
    check_fit(where, _config_json(found, where), auto_class, checkpoint.trust_remote_code)
    found.fetch(SAFETENSORS)
    if not has_safetensors(found.path):
        found.fetch(BIN)
    determining = [*weight_files(found.path), *files.matching(found.path, _small(checkpoint))]
    tokenizer, its_files = _tokenizer(checkpoint, found)
    return Source(
        name=found.name,
        folder=found.path,
        commit=found.commit,
        files=files.digests(determining) | its_files,
        tokenizer_source=tokenizer.path,
        checkpoint=checkpoint,
    )


def _adapted(checkpoint: CheckpointConfig, found: Place, where: str, auto_class: str) -> Source:
    """An adapter, and the checkpoint that it names as its base."""
    found.fetch(adapter.WEIGHTS)
    if files.matching(found.path, (*SAFETENSORS, *BIN)):
        raise CheckpointError(f"{where} holds both whole weights and an adapter: give a folder with one of them")
    known = adapter.read_adapter(found.path, where, auto_class)
    own = files.digests(known.files())
    tokenizer = str(found.path) if files.matching(found.path, files.VOCABULARY) else None
    below = replace(
        checkpoint,
        name_or_path=known.base,
        revision=known.revision,
        tokenizer=checkpoint.tokenizer or tokenizer,
    )
    try:
        base = _find(below, auto_class, as_base=True)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: its base {known.base} cannot be used: {error}") from error
    _same_type(known, base)
    theirs = {name if name.startswith("tokenizer/") else f"base/{name}": sha for name, sha in base.files.items()}
    return replace(base, name=found.name, commit=found.commit, files=theirs | own, checkpoint=checkpoint, adapter=known)


def _same_type(known: adapter.Adapter, base: Source) -> None:
    """The configuration of the adapted network must be one of its base."""
    if known.config_folder is None or base.folder is None:
        return
    ours, theirs = (
        files.read_object(folder / "config.json", known.where).get("model_type")
        for folder in (known.config_folder, base.folder)
    )
    if ours != theirs:
        raise CheckpointError(f"{known.where} is an adapter of a {ours}, but its base {known.base} is a {theirs}")


def _random(checkpoint: CheckpointConfig, auto_class: str) -> Source:
    """Random weights: only the tokenizer comes from somewhere."""
    architecture = checkpoint.architecture or {}
    check_fit("checkpoint.architecture", architecture, auto_class, trusted=False)
    tokenizer, its_files = _tokenizer(checkpoint, None)
    return Source(
        name=f"{architecture['model_type']}{RANDOM}",
        folder=None,
        commit=None,
        files=its_files,
        tokenizer_source=tokenizer.path,
        checkpoint=checkpoint,
    )


def _tokenizer(checkpoint: CheckpointConfig, default: Place | None) -> tuple[Place, dict[str, str]]:
    """Where the tokenizer lies, and its files where they are not the checkpoint's own."""
    name, key = checkpoint.tokenizer, "checkpoint.tokenizer"
    if name is None and default is not None:
        return default, {}
    if name is None:
        name, key = checkpoint.name_or_path or "", "checkpoint.name_or_path"
    patterns = _small(checkpoint)
    found = place(name, None, patterns, key)
    own = [found.path] if found.path.is_file() else files.matching(found.path, patterns)
    return found, {f"tokenizer/{file}": digest for file, digest in files.digests(own).items()}


def _small(checkpoint: CheckpointConfig) -> tuple[str, ...]:
    """Everything but weights."""
    code = files.CODE if checkpoint.trust_remote_code else ()
    return (*files.CONFIG, *files.VOCABULARY, *files.PROCESSOR, *code)


def _config_json(found: Place, where: str) -> dict[str, object]:
    if found.path.is_file():
        raise CheckpointError(f"{where} is a file: give the folder that holds it and its config.json")
    if not (found.path / "config.json").is_file():
        raise CheckpointError(f"{where} has no config.json; {files.holds(found.path)}")
    return files.read_object(found.path / "config.json", where)
