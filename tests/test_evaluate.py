"""mode=evaluate: a text file to perplexity, bits per byte and accuracy."""

import json
import math

import pytest
import torch


def evaluate(cli, tiny, *more):
    ended = cli("mode=evaluate", "engine.threads=1", f"checkpoint.name_or_path={tiny}", *more)
    assert ended.code == 0, ended.err
    return json.loads((cli.home / "outputs" / "latest" / "metrics.json").read_text())


def test_perplexity_is_that_of_one_forward_pass_per_text(cli, tiny):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    texts = ["春风花月夜，江山来去空。", "白云千里远", "明月"]
    (cli.home / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    metrics = evaluate(cli, tiny, "data.path=corpus.txt")
    network, tokenizer = AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
    nll = tokens = right = 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt").input_ids
        logits = network(ids).logits[0, :-1]
        nll += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        right += (logits.argmax(-1) == ids[0, 1:]).sum().item()
        tokens += ids.shape[1] - 1
    assert metrics["perplexity"]["value"] == pytest.approx(math.exp(nll / tokens), rel=1e-5)
    assert metrics["bits_per_byte"]["value"] == pytest.approx(
        nll / math.log(2) / len("".join(texts).encode()), rel=1e-5
    )
    assert metrics["accuracy"]["value"] == pytest.approx(right / tokens)
    assert metrics["perplexity"]["low"] < metrics["perplexity"]["value"] < metrics["perplexity"]["high"]
    lines = [
        json.loads(line) for line in (cli.home / "outputs" / "latest" / "predictions.jsonl").read_text().splitlines()
    ]
    assert [line["row"] for line in lines] == [0, 1, 2]
    assert sum(line["scores"]["nll"] for line in lines) == pytest.approx(nll, rel=1e-4)


def test_scores_do_not_depend_on_the_batch(cli, tiny):
    texts = ["春风花月夜" * n for n in (1, 9, 3, 30, 2, 14)]
    (cli.home / "corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    files = []
    for budget in (1, 100, 4000):
        evaluate(cli, tiny, "data.path=corpus.txt", f"engine.batch_tokens={budget}")
        files.append(
            [
                json.loads(line)["scores"]
                for line in (cli.home / "outputs" / "latest" / "predictions.jsonl").read_text().splitlines()
            ]
        )
    for one, other in zip(files[0], files[1], strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert len({json.dumps([s["tokens"] for s in scores]) for scores in files}) == 1
