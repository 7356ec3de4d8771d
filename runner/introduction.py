"""What a run is, in one line: task, checkpoint, rows, and the decoding in effect."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from runner.decode import BEAMS, SAMPLING, DecodeConfig
from runner.files import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config import Config
    from runner.data import Split
    from runner.task import Task

SAMPLED = {"temperature": 1.0, "top_k": 50}  # transformers' defaults that change what is drawn
SEARCHED = {"length_penalty": 1.0, "early_stopping": False}  # transformers' defaults that change what beams find
SHAPING = ("num_beams", *SAMPLING, "repetition_penalty", "no_repeat_ngram_size", "prompt_lookup_num_tokens",
           "num_return_sequences")  # fmt: skip
UNSAID = ("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
          "_from_model_config", "transformers_version", "use_cache", "disable_compile")  # fmt: skip
NEUTRAL: dict[str, tuple[Any, ...]] = {  # values that change nothing
    "num_beams": (1,), "num_return_sequences": (1,),
    "top_k": (0,), "top_p": (1,), "typical_p": (1,), "min_p": (0,), "epsilon_cutoff": (0,), "eta_cutoff": (0,),
    "repetition_penalty": (1,), "encoder_repetition_penalty": (1,), "guidance_scale": (1,),
    "no_repeat_ngram_size": (0,), "encoder_no_repeat_ngram_size": (0,), "min_length": (0,), "min_new_tokens": (0,),
    "remove_invalid_values": (False,), "renormalize_logits": (False,), "token_healing": (False,), "use_mtp": (False,),
}  # fmt: skip


def introduction(config: Config, task: Task, source: Any, splits: Mapping[str, Split]) -> str:
    """Task, checkpoint, what is asked and the settings that shape it, told before anything is loaded."""
    way = task.evaluate if config.evaluates else task.predict
    parts = [task.name, source.name]
    if config.train.method != "none":
        texts = _rows(splits["train"], "text", config)
        parts.append(f"{config.train.method} training on {texts}, {_length(config)}")
    rows = _rows(splits["rows"], "prompt" if way.generates else "text", config)
    parts.append(f"evaluation on {rows}" if config.evaluates and not way.generates else rows)
    decoding = _expected(config, source) if way.generates else None
    if decoding is not None:
        parts.append(strategy(decoding))
    if draws(config, decoding, source.folder is None):
        parts.append(f"seed {config.seed}")
    return " · ".join(parts)


def size(source: Any, model: Any) -> str:
    """Parameters, dtype and device of what was loaded, and which of its weights are new."""
    count = model.parameters
    parts = [
        f"{count / 1e6:,.1f} M parameters" if count >= 1e5 else f"{count:,} parameters",
        str(model.network.dtype).removeprefix("torch."),
    ]
    parts.append(str(model.network.device))
    if source.folder is None:
        parts.append("random weights")
    elif model.random_weights:
        new = len(model.random_weights)
        parts.append(f"{new} weight tensor{'s are' if new > 1 else ' is'} new and random")
    return ", ".join(parts)


def decoding_of(config: Config, model: Any) -> dict[str, Any]:
    """The generation settings in effect: the checkpoint's own, overlaid with what the configuration gives."""
    from runner.engine.decoding import effective

    return in_effect(effective(model, config.decode).to_diff_dict(), config.decode)


def in_effect(settings: Mapping[str, Any], decode: DecodeConfig) -> dict[str, Any]:
    """What shapes a text: the library's defaults that change it are added, settings that change nothing left out."""
    found = {name: value for name, value in settings.items() if value is not None and name not in UNSAID}
    beams = (found.get("num_beams") or 1) > 1
    added = {"do_sample": False} | (SAMPLED if found.get("do_sample") else {}) | (SEARCHED if beams else {})
    idle = (() if found.get("do_sample") else SAMPLING) + (() if beams else BEAMS)
    kept = {
        name: value
        for name, value in (added | found).items()
        if name not in idle and not (name in NEUTRAL and value in NEUTRAL[name])
    }
    loop: dict[str, Any] = {} if decode.loop == "generate" else {"loop": decode.loop}
    if decode.rule is not None:
        loop["rule"] = _rule(decode.rule)
        kept = {name: value for name, value in kept.items() if (name, value) != ("do_sample", False)}
    return loop | kept


def strategy(decoding: Mapping[str, Any]) -> str:
    """The way of decoding with the settings that shape it, e.g. sample(temperature 0.7, top_p 0.95)."""
    beams, sampled = (decoding.get("num_beams") or 1) > 1, bool(decoding.get("do_sample"))
    name = ("beam_sample" if sampled else "beam") if beams else ("sample" if sampled else "greedy")
    if "rule" in decoding:
        return f"step {decoding['rule']}"
    shaping = ", ".join(f"{key} {decoding[key]}" for key in SHAPING if key in decoding)
    return f"{'step ' if 'loop' in decoding else ''}{name}" + (f"({shaping})" if shaping else "")


def draws(config: Config, decoding: Mapping[str, Any] | None, random_weights: bool) -> bool:
    """Whether another seed can give another result; what a rule of the user's own does is not known."""
    drawn = decoding is not None and bool(decoding.get("do_sample") or "rule" in decoding)
    return drawn or random_weights or config.train.method != "none"


def _expected(config: Config, source: Any) -> dict[str, Any]:
    """The generation settings as the checkpoint's files and the configuration tell them; nothing is loaded for it."""
    names = ("generation_config.json", "config.json")  # old checkpoints keep them in config.json
    files = (read_json(source.folder / name) for name in names if source.folder is not None)
    stored = next((values for values in files if isinstance(values, dict) and values), {})
    known = {field.name for field in dataclasses.fields(DecodeConfig)}
    return in_effect({k: v for k, v in stored.items() if k in known} | config.decode.given(), config.decode)


def _rows(split: Split, noun: str, config: Config) -> str:
    count = f"{split.count:,} {noun}{'' if split.count == 1 else 's'}"
    return count if config.data.path in (None, "asset:prompts.txt") else f"{count} of {split.name}"


def _length(config: Config) -> str:
    steps, epochs = config.train.max_steps, config.train.epochs
    count, noun = (f"{steps:,}", "step") if steps is not None else (f"{epochs:g}", "epoch")
    return f"{count} {noun}{'' if count == '1' else 's'}"


def _rule(rule: Mapping[str, Any]) -> str:
    """The class of a rule with its options: Fresh(last 4)."""
    options = ", ".join(f"{name} {value}" for name, value in rule.items() if name != "_target_")
    name = str(rule.get("_target_", "rule")).rpartition(".")[2]
    return f"{name}({options})" if options else name
