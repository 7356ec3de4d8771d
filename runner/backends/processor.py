"""What turns raw inputs into features: a tokenizer, an image processor, a feature extractor, or all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.backends import files
from runner.backends.architectures import REMOTE_CODE
from runner.backends.checkpoint import Source
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from runner.quiet import quiet

WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")  # bytes and code points need none
WITH_SETTINGS = ("AutoImageProcessor", "AutoFeatureExtractor", "AutoVideoProcessor")
PROBES = ("the quick brown fox", "床前明月光", "0123456789", "Съешь ещё этих", "ATGC MKTA", ". , ! ?")


def load_processor(source: Source, checkpoint: CheckpointConfig, processor_class: str) -> Any:
    """The processor of the checkpoint, or its tokenizer from where `checkpoint.tokenizer` says.

    Raises:
        CheckpointError: when files are missing or damaged, or the tokenizer turns text into nothing.
    """
    if processor_class == "AutoTokenizer":
        return _tokenizer(source.tokenizer_source, checkpoint.trust_remote_code)
    if source.folder is None:
        raise CheckpointError(
            f"checkpoint {source.name} has no {processor_class}: random weights have a tokenizer only"
        )
    settings = files.matching(source.folder, ("*processor_config.json",))
    if processor_class in WITH_SETTINGS and not settings:
        raise CheckpointError(
            f"{source.folder} has no {processor_class.removeprefix('Auto')}: expected preprocessor_config.json; "
            f"{files.holds(source.folder)}"
        )
    processor = _loaded(processor_class, source.folder, checkpoint.trust_remote_code)
    if checkpoint.tokenizer is not None and hasattr(processor, "tokenizer"):
        processor.tokenizer = _tokenizer(source.tokenizer_source, checkpoint.trust_remote_code)
    tokenizer = tokenizer_of(processor)
    if tokenizer is not None:
        _check_encodes(tokenizer, source.folder)
    return processor


def tokenizer_of(processor: Any) -> Any | None:
    """The tokenizer in a processor, which may be the processor itself."""
    from transformers import PreTrainedTokenizerBase

    found = getattr(processor, "tokenizer", processor)
    return found if isinstance(found, PreTrainedTokenizerBase) else None


def _tokenizer(place: Path, trusted: bool) -> Any:
    if place.is_file():
        tokenizer = _from_file(place)
    else:
        _check_files(place, trusted)
        tokenizer = _loaded("AutoTokenizer", place, trusted)
    _check_encodes(tokenizer, place)
    return tokenizer


def _from_file(path: Path) -> Any:
    """A vocab.txt, one token a line (BERT's way, case kept), or a tokenizer.json."""
    from transformers import BertTokenizer, PreTrainedTokenizerFast

    if path.suffix == ".json":
        try:
            with quiet():
                return PreTrainedTokenizerFast(tokenizer_file=str(path))
        except Exception as error:
            raise CheckpointError(f"checkpoint.tokenizer={path} is no tokenizer.json: {_first_line(error)}") from error
    try:
        tokens = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")  # U+2028 and its kin are tokens
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"checkpoint.tokenizer={path} is no list of tokens in UTF-8: {error}") from error
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if "[UNK]" not in vocabulary:
        raise CheckpointError(
            f"checkpoint.tokenizer={path} is no vocabulary: [UNK] is not among its {len(tokens)} lines"
        )
    with quiet():
        return BertTokenizer(vocab=vocabulary, do_lower_case=False)


def _check_files(folder: Path, trusted: bool) -> None:
    """Without a vocabulary transformers makes an empty tokenizer, in silence."""
    if files.matching(folder, files.VOCABULARY):
        return
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        known = files.read_object(settings, f"checkpoint {folder}")
        if known.get("tokenizer_class") in WITHOUT_VOCABULARY or (trusted and known.get("auto_map")):
            return
    raise CheckpointError(
        f"{folder} has no tokenizer: expected tokenizer.json, vocab.txt, vocab.json with merges.txt "
        "or tokenizer.model; set checkpoint.tokenizer"
    )


def _loaded(processor_class: str, folder: Path, trusted: bool) -> Any:
    import transformers

    try:
        with quiet():
            return getattr(transformers, processor_class).from_pretrained(
                folder, trust_remote_code=trusted, local_files_only=True
            )
    except Exception as error:  # tokenizers raises Exception itself, the rest nearly every other kind
        if "trust_remote_code" in str(error):
            raise CheckpointError(f"{folder}: its {processor_class[4:].lower()} {REMOTE_CODE}") from error
        _name_damaged_file(folder, error)
        kind = processor_class.removeprefix("Auto")
        raise CheckpointError(f"{folder}: its {kind} cannot be loaded: {_first_line(error)}") from error


def _name_damaged_file(folder: Path, error: Exception) -> None:
    """Raises when one of the JSON files is the reason."""
    where = f"checkpoint {folder}"
    for path in files.matching(folder, (*files.PROCESSOR, *files.VOCABULARY)):
        problem = files.lfs_problem(path)
        if problem:
            raise CheckpointError(f"{where}: {path.name} {problem}") from error
        if path.suffix != ".json":
            continue
        content = files.read_object(path, where)
        if path.name == "tokenizer.json" and not isinstance(content.get("model"), dict):
            raise CheckpointError(f"{where}: tokenizer.json is damaged: it has no model") from error


def _check_encodes(tokenizer: Any, place: Path) -> None:
    """Some alphabet must come through; which one is the tokenizer's own affair."""
    with quiet():
        if any(_encodes(tokenizer, probe) for probe in PROBES):
            return
    raise CheckpointError(f"the tokenizer of {place} turns every text into nothing: set checkpoint.tokenizer")


def _encodes(tokenizer: Any, text: str) -> bool:
    try:
        return bool(tokenizer(text, add_special_tokens=False)["input_ids"])
    except Exception:  # tokenizers raises Exception itself, e.g. when [UNK] is needed and is not there
        return False


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}" if isinstance(error, KeyError | TypeError) else lines[0]
