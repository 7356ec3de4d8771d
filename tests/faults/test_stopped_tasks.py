"""A fine-tuning of each class of texts, stopped in the middle, goes on to the weights of one that nobody stopped."""

from __future__ import annotations

import json
import signal
from hashlib import sha256

import pytest

from tests.tasks import made

STEPS = 12
TRAINING = (
    "train=full", "data=files", "checkpoint=pretrained", "engine.threads=1", f"train.max_steps={STEPS}",
    "train.save_every=2", "train.evaluate_every=2", "train.batch_size=4", "train.learning_rate=1e-3",
)  # fmt: skip
WHO, DOES, HOW = ("he", "she", "the bird"), ("sings", "sleeps"), ("well", "bad")
SENTENCES = [f"{who} {does} {how} ." for who in WHO for does in DOES for how in HOW]


def pair(at):
    """A sentence, the next one, and whether they share their verb."""
    one, two = SENTENCES[at], SENTENCES[(at + at % 3 + 1) % len(SENTENCES)]
    return one, two, int(one.split()[-3] == two.split()[-3])


TASKS = {  # Auto class, kind of network, a row
    "masked_lm": ("AutoModelForMaskedLM", "bert", lambda at: {"text": SENTENCES[at]}),
    "pretraining": ("AutoModelForPreTraining", "bert", lambda at: {"text": f"{SENTENCES[at]} {SENTENCES[at - 1]}"}),
    "seq2seq_lm": ("AutoModelForSeq2SeqLM", "bart", lambda at: {"source": SENTENCES[at], "target": SENTENCES[at - 1]}),
    "sequence_classification": ("AutoModel", "bert", lambda at: {"text": SENTENCES[at], "label": pair(at)[2]}),
    "multiple_choice": (
        "AutoModel", "bert", lambda at: {"question": pair(at)[0], "choices": ["well .", "bad ."], "label": pair(at)[2]},
    ),
    "next_sentence_prediction": (
        "AutoModelForNextSentencePrediction", "bert",
        lambda at: dict(zip(("sentence1", "sentence2", "label"), pair(at), strict=True)),
    ),
    "token_classification": (
        "AutoModel", "bert",
        lambda at: {"tokens": (words := SENTENCES[at].split()), "tags": ["B-WHO" if at % 2 else "O"] * len(words)},
    ),
    "question_answering": (
        "AutoModel", "bert",
        lambda at: {"question": "the bird is ?", "context": SENTENCES[at], "answers": {
            "text": [SENTENCES[at].split()[-2]], "answer_start": [SENTENCES[at].index(SENTENCES[at].split()[-2])]}},
    ),
    "text_encoding": (
        "AutoModel", "bert", lambda at: dict(zip(("sentence1", "sentence2", "score"), pair(at), strict=True)),
    ),
    "text_retrieval": ("AutoModel", "bert", lambda at: {"query": SENTENCES[at], "document": SENTENCES[at - 1]}),
}  # fmt: skip


def digest(outputs):
    (path,) = outputs.glob("*/*/checkpoint/model.safetensors")
    return sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("task", TASKS)
def test_a_stopped_fine_tuning_goes_on_to_the_same_weights(cli, fork, tmp_path, task):
    auto_class, kind, row = TASKS[task]
    base = made.saved(made.model(auto_class, kind), tmp_path / "base")
    rows = [row(at) for at in range(len(SENTENCES))]
    folder = made.splits(tmp_path / "data", train=rows * 3, validation=rows[:6], test=rows[6:])
    arguments = (f"task={task}", *TRAINING, f"checkpoint.name_or_path={base}", f"data.path={folder}")
    whole = fork(*arguments, "output_dir=whole")
    job = fork(*arguments)
    saved = "outputs/*/*/training/checkpoint-2/SEAL.json"
    job.until(lambda: list(cli.home.glob(saved)))
    job.signal(signal.SIGTERM)
    assert (job.wait(), whole.wait()) == (75, 0), job.told + whole.told
    (run,) = cli.runs
    assert json.loads((run / "status.json").read_text())["state"] == "stopped"
    ended = cli(*arguments)
    assert ended.code == 0, ended.err
    assert "(sealed checkpoint)" in ended.out
    assert digest(cli.home / "outputs") == digest(cli.home / "whole")
    assert (run / "metrics.json").read_bytes() == next(cli.home.glob("whole/*/*/metrics.json")).read_bytes()
