"""The typed schema of decoding, field by field after transformers' GenerationConfig, and its rules."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

OURS = ("loop", "rule", "trace", "assistant")  # decode options that GenerationConfig does not have
LEFT_OUT = {  # fields of GenerationConfig that are not options here, and why
    "output_attentions": "the engine keeps what it needs",
    "output_hidden_states": "the engine keeps what it needs",
    "output_scores": "decode.trace writes them",
    "output_logits": "decode.trace writes them",
    "return_dict_in_generate": "the engine keeps what it needs",
    "is_assistant": "set by the library on its own drafts",
    "compile_config": "an object, not a value",
    "continuous_batching_config": "deprecated in transformers 5.13",
    "low_memory": "its strategy has left the library",
    "penalty_alpha": "contrastive search has left the library",
    "dola_layers": "DoLa has left the library",
    "diversity_penalty": "group beam search has left the library",
    "num_beam_groups": "group beam search has left the library",
    "constraints": "constrained beam search has left the library",
    "force_words_ids": "constrained beam search has left the library",
    "transformers_version": "written by the library",
}
DEFAULT_NEW_TOKENS = 64  # when neither max_new_tokens nor max_length is given


@dataclass
class DecodeConfig:
    """How the next token is chosen; null means the checkpoint's generation_config.json, then the library's default."""

    loop: str = "generate"  # generate | step (the loop in the open)
    rule: dict[str, Any] | None = None  # step only: a callable named by _target_ that chooses the next token
    trace: int | None = None  # step only: candidates recorded at each step
    assistant: str | None = None  # a smaller checkpoint that drafts tokens: an embedded name, a folder or a hub id

    max_length: int | None = None  # tokens, prompt included
    max_new_tokens: int | None = None  # tokens
    min_length: int | None = None  # tokens, prompt included
    min_new_tokens: int | None = None  # tokens
    early_stopping: Any = None  # beams: true | false | never
    max_time: float | None = None  # seconds
    stop_strings: list[str] | None = None

    do_sample: bool | None = None
    num_beams: int | None = None
    use_mtp: bool | None = None

    use_cache: bool | None = None
    cache_implementation: str | None = None
    cache_config: dict[str, Any] | None = None
    max_cache_len: int | None = None  # tokens

    temperature: float | None = None
    top_k: int | None = None  # 0: off
    top_p: float | None = None
    min_p: float | None = None
    top_h: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    repetition_penalty: float | None = None
    encoder_repetition_penalty: float | None = None
    length_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    bad_words_ids: list[list[int]] | None = None
    renormalize_logits: bool | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: Any = None  # int or list of int
    remove_invalid_values: bool | None = None
    exponential_decay_length_penalty: list[float] | None = None  # start index, factor
    suppress_tokens: list[int] | None = None
    begin_suppress_tokens: list[int] | None = None
    sequence_bias: list[Any] | None = None  # [[[ids], bias], ...]
    token_healing: bool | None = None
    guidance_scale: float | None = None
    watermarking_config: dict[str, Any] | None = None

    num_return_sequences: int | None = None

    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: Any = None  # int or list of int

    encoder_no_repeat_ngram_size: int | None = None
    decoder_start_token_id: Any = None  # int or list of int

    num_assistant_tokens: int | None = None
    num_assistant_tokens_schedule: str | None = None
    assistant_confidence_threshold: float | None = None
    prompt_lookup_num_tokens: int | None = None
    max_matching_ngram_size: int | None = None
    assistant_early_exit: int | None = None
    assistant_lookbehind: int | None = None
    target_lookbehind: int | None = None
    assistant_ensemble_weight: float | None = None
    speculation_type: str | None = None

    disable_compile: bool | None = None
    prefill_chunk_size: int | None = None  # tokens

    def given(self) -> dict[str, Any]:
        """The options of GenerationConfig that are not null; an option of sampling asks for sampling."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in OURS}
        if self.do_sample is None and any(values[name] is not None for name in SAMPLING):
            values["do_sample"] = True
        return {name: value for name, value in values.items() if value is not None}


LAWS = {  # key: (law in words, test); null always passes
    "max_length": ("max_length >= 1", lambda v: v >= 1),
    "max_new_tokens": ("max_new_tokens >= 1", lambda v: v >= 1),
    "min_length": ("min_length >= 0", lambda v: v >= 0),
    "min_new_tokens": ("min_new_tokens >= 0", lambda v: v >= 0),
    "max_time": ("max_time > 0", lambda v: v > 0),
    "num_beams": ("1 <= num_beams <= 1024", lambda v: 1 <= v <= 1024),
    "early_stopping": ("early_stopping in {true, false, never}", lambda v: v in (True, False, "never")),
    "temperature": ("temperature > 0", lambda v: v > 0),
    "top_k": ("top_k >= 0", lambda v: v >= 0),
    "top_p": ("0 < top_p <= 1", lambda v: 0 < v <= 1),
    "min_p": ("0 <= min_p <= 1", lambda v: 0 <= v <= 1),
    "top_h": ("0 < top_h <= 1", lambda v: 0 < v <= 1),
    "typical_p": ("0 < typical_p <= 1", lambda v: 0 < v <= 1),
    "epsilon_cutoff": ("0 <= epsilon_cutoff < 1", lambda v: 0 <= v < 1),
    "eta_cutoff": ("0 <= eta_cutoff < 1", lambda v: 0 <= v < 1),
    "repetition_penalty": ("repetition_penalty > 0", lambda v: v > 0),
    "encoder_repetition_penalty": ("encoder_repetition_penalty > 0", lambda v: v > 0),
    "no_repeat_ngram_size": ("no_repeat_ngram_size >= 0", lambda v: v >= 0),
    "num_return_sequences": ("num_return_sequences >= 1", lambda v: v >= 1),
    "exponential_decay_length_penalty": ("two numbers, start index and factor", lambda v: len(v) == 2),
    "prompt_lookup_num_tokens": ("prompt_lookup_num_tokens >= 1", lambda v: v >= 1),
    "num_assistant_tokens": ("num_assistant_tokens >= 1", lambda v: v >= 1),
    "loop": ("loop in {generate, step}", lambda v: v in ("generate", "step")),
    "trace": ("trace >= 1", lambda v: v >= 1),
    "pad_token_id": ("pad_token_id >= 0", lambda v: v >= 0),
    "bos_token_id": ("bos_token_id >= 0", lambda v: v >= 0),
    "eos_token_id": ("a token id or a list of token ids", lambda v: _token_ids(v)),
    "forced_eos_token_id": ("a token id or a list of token ids", lambda v: _token_ids(v)),
    "decoder_start_token_id": ("a token id or a list of token ids", lambda v: _token_ids(v)),
}
SAMPLING = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
BEAMS = ("length_penalty", "early_stopping")
DRAFTS = ("assistant", "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")
NOT_IN_STEP = (  # options that the loop in the open does not have; 1 is what it does anyway
    "assistant",
    "num_beams",
    "prompt_lookup_num_tokens",
    "assistant_early_exit",
    "guidance_scale",
    "num_return_sequences",
    "use_mtp",
    "token_healing",
    "cache_implementation",
    "prefill_chunk_size",
    "watermarking_config",
)


def decode_problems(decode: DecodeConfig) -> list[str]:
    """Every broken rule of decoding, one line each."""
    found = [
        f"decode.{key}  {law} must hold, but got {getattr(decode, key)}"
        for key, (law, holds) in LAWS.items()
        if getattr(decode, key) is not None and not _safely(holds, getattr(decode, key))
    ]
    return found + _across(decode)


def _token_ids(value: Any) -> bool:
    return all(type(one) is int and one >= 0 for one in (value if isinstance(value, list) else [value]))


def _safely(holds: Any, value: Any) -> bool:
    try:
        return bool(holds(value))
    except TypeError:
        return False


def _across(decode: DecodeConfig) -> list[str]:
    """Rules between options."""
    return [*_without_effect(decode), *_lengths(decode), *_several(decode), *_drafting(decode), *_looping(decode)]


def _without_effect(decode: DecodeConfig) -> list[str]:
    given = {name for name in (*SAMPLING, *BEAMS) if getattr(decode, name) is not None}
    found = []
    if decode.do_sample is False:
        found += [
            f"decode.{name}  has no effect with do_sample=false: set decode.do_sample=true or leave it out"
            for name in SAMPLING
            if name in given
        ]
    if (decode.num_beams or 1) == 1:
        found += [
            f"decode.{name}  has no effect with num_beams=1: set decode.num_beams>1 or leave it out"
            for name in BEAMS
            if name in given
        ]
    return found


def _lengths(decode: DecodeConfig) -> list[str]:
    longest, new = decode.max_length, decode.max_new_tokens
    found = []
    if longest is not None and new is not None:
        found.append(f"decode.max_length  {longest} stands beside max_new_tokens={new}: give one of them")
    for name, least, most in (("length", decode.min_length, longest), ("new_tokens", decode.min_new_tokens, new)):
        if least is not None and most is not None and least > most:
            found.append(f"decode.min_{name}  min_{name} <= max_{name} must hold, but got {least} > {most}")
    return found


def _several(decode: DecodeConfig) -> list[str]:
    beams, several = decode.num_beams or 1, decode.num_return_sequences or 1
    if several > beams > 1:
        return [f"decode.num_return_sequences  {several} <= num_beams must hold, but num_beams is {beams}"]
    if several > 1 and beams == 1 and not decode.do_sample:
        remedy = f"set decode.do_sample=true or num_beams>={several}"
        return [f"decode.num_return_sequences  {several} equal answers: {remedy}"]
    return []


def _drafting(decode: DecodeConfig) -> list[str]:
    drafts = [name for name in DRAFTS if getattr(decode, name)]
    options = [name for name in ("num_assistant_tokens", "assistant_confidence_threshold") if getattr(decode, name)]
    found = []
    if len(drafts) > 1:
        found.append(f"decode.{drafts[0]}  stands beside {', '.join(drafts[1:])}: tokens are drafted in one way")
    if options and not drafts:
        found.append(f"decode.assistant  is null, but {options[0]} is given: name the checkpoint that drafts tokens")
    if drafts and (decode.num_beams or 1) > 1:
        found.append(f"decode.{drafts[0]}  drafts for one text at a time: set decode.num_beams=1 or leave it out")
    return found


def _looping(decode: DecodeConfig) -> list[str]:
    if decode.loop == "generate":
        given = [name for name in ("rule", "trace") if getattr(decode, name) is not None]
        return [f"decode.{name}  needs the loop in the open: set decode.loop=step" for name in given]
    other = [name for name in NOT_IN_STEP if getattr(decode, name) not in (None, 1, False)]
    if decode.use_cache is False:
        other.append("use_cache")
    return [f"decode.{name}  is not part of the loop in the open: set decode.loop=generate" for name in other]
