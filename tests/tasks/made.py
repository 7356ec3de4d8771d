"""Tiny checkpoints of random weights for each task, and ways to use them without the command line."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

WORDS = [
    "he", "she", "sings", "sleeps", "well", "bad", "good", "fish", "bird", "sun", "rain", "moon", "##s", "##ing",
    "play", "read", "un", "##known", "this", "example", "is", "the", "a", "b", "c", *".,!?风月花",
]  # fmt: skip
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
TEXTS = [
    "the bird sings well .",
    "fish",
    "she reads , he plays ! the unknown sun sleeps",
    "rain rain rain moon .",
    "🙂 \t\n he [SEP] is \x07 good",
    "风 花 月 the moon is playing , this is a bad example ? a b c",
]
CONTEXT = 64  # positions


def tokenizer(vocabulary: list[str] | None = None) -> Any:
    """Fast, words and pieces of words."""
    from transformers import BertTokenizer

    names = vocabulary or VOCABULARY
    return BertTokenizer(vocab={token: at for at, token in enumerate(names)}, do_lower_case=True)


def config(kind: str = "bert", **options: Any) -> Any:
    """Two layers of width 32."""
    from transformers import BartConfig, BertConfig, GPT2Config, T5Config

    tokens = {"vocab_size": len(VOCABULARY), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    if kind == "bert":
        return BertConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=CONTEXT, **{"initializer_range": 0.4} | tokens | options,
        )  # fmt: skip
    if kind == "gpt2":
        return GPT2Config(
            n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2, initializer_range=0.4, **tokens | options
        )
    if kind == "bart":
        return BartConfig(
            d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=CONTEXT,
            decoder_start_token_id=3, forced_eos_token_id=None, **{"init_std": 0.4} | tokens | options,
        )  # fmt: skip
    return T5Config(
        d_model=32, d_kv=16, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0,
        **{"initializer_factor": 3.0} | tokens | options,
    )  # fmt: skip


def model(auto_class: str, kind: str = "bert", seed: int = 0, **options: Any) -> SimpleNamespace:
    """What `runner.types.Model` asks for, in evaluation mode."""
    import torch
    import transformers

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = getattr(transformers, auto_class).from_config(config(kind, **options)).eval()
    context = None if kind == "t5" else CONTEXT
    return SimpleNamespace(network=network, processor=tokenizer(), config=network.config, name="tiny", context=context)


def saved(made: SimpleNamespace, folder: Any) -> Any:
    """The folder, with the checkpoint as save_pretrained writes it; the network is a fresh one, never trained."""
    made.network.save_pretrained(folder)
    made.processor.save_pretrained(folder)
    return folder


def classes(*names: str) -> dict[str, Any]:
    """Options of a configuration with these classes."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}


def forward(made: Any, way: Any, rows: list[dict[str, Any]], budget: int = 200) -> list[Any]:
    """The answers to the rows, in batches of at most `budget` tokens."""
    import torch

    from runner.engine.forward import run_batches

    torch.set_num_threads(1)  # two busy cores: threads that wait for one another are far slower
    encoded = way.encode(made, rows)
    flat = [feature for features in encoded for feature in features]
    found: list[Any] = [None] * len(flat)
    for batch in run_batches(made, flat, way.interpret.outputs, budget, print):
        for at, output in batch:
            found[at] = output
    remaining = iter(found)
    return [
        way.interpret(made, row, features, [next(remaining) for _ in features])
        for row, features in zip(rows, encoded, strict=True)
    ]


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    """One row an entry of the columns, which are equally long."""
    lines = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{"row": at, "place": f"a.jsonl:{at + 1}"} | line for at, line in enumerate(lines)]


def written(path: Any, lines: list[dict[str, Any]]) -> Any:
    """The lines as a JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def splits(folder: Any, **lines: list[dict[str, Any]]) -> Any:
    """The folder, with a file a split."""
    for name, content in lines.items():
        written(folder / f"{name}.jsonl", content)
    return folder


def predictions(run: Any) -> list[Any]:
    """Of predictions.jsonl."""
    return [json.loads(line)["prediction"] for line in (run / "predictions.jsonl").open(encoding="utf-8")]


def metrics(run: Any) -> dict[str, float]:
    """Of metrics.json, the values alone."""
    return {
        name: one["value"] for name, one in json.loads((run / "metrics.json").read_text()).items() if "value" in one
    }


def history(run: Any, name: str) -> list[float]:
    """The values of a number in training.jsonl."""
    entries = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    return [entry[name] for entry in entries if name in entry]
