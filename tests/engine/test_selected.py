"""Logits at chosen tokens are those of a plain forward pass, whatever the head."""

import pytest
import torch
import transformers

from runner.engine.losses import masked_token_loss, next_token_loss
from runner.engine.selected import forward_at
from tests.tasks import made

V = len(made.VOCABULARY)
SMALL = {
    "vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "initializer_range": 0.4, "pad_token_id": 0,
}  # fmt: skip
NETWORKS = {
    "bert": ("BertForMaskedLM", "BertConfig", {}, "logits"),
    "bert, both tasks": ("BertForPreTraining", "BertConfig", {}, "prediction_logits"),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", {}, "logits"),
    "electra": ("ElectraForMaskedLM", "ElectraConfig", {"embedding_size": 16}, "logits"),
    "albert": ("AlbertForMaskedLM", "AlbertConfig", {"embedding_size": 16}, "logits"),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", {"dim": 32, "n_layers": 2, "n_heads": 2}, "logits"),
    "deberta": ("DebertaV2ForMaskedLM", "DebertaV2Config", {}, "logits"),
    "modernbert": ("ModernBertForMaskedLM", "ModernBertConfig", {"pad_token_id": 0}, "logits"),
    "bart": ("BartForConditionalGeneration", None, {}, "logits"),
    "t5": ("T5ForConditionalGeneration", None, {}, "logits"),
}


def network(kind):
    name, config, more, _ = NETWORKS[kind]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if config is None:
        return getattr(transformers, name)(made.config(kind)).eval()
    made_config = getattr(transformers, config)(**SMALL | more)
    return getattr(transformers, name)(made_config).eval()


def inputs(kind):
    ids = torch.tensor([[2, 9, 8, 4, 12, 3], [2, 7, 4, 3, 0, 0], [2, 3, 0, 0, 0, 0]])
    given = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    return given | ({"decoder_input_ids": ids} if kind in ("bart", "t5") else {})


GEMMA = {"head_dim": 16, "num_key_value_heads": 1, "final_logit_softcapping": 2.0}
WHERE = torch.tensor([[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()


@pytest.mark.parametrize("kind", NETWORKS)
def test_logits_at_chosen_tokens_are_those_of_all_tokens(kind):
    one, name = network(kind), NETWORKS[kind][3]
    with torch.no_grad():
        expected = one(**inputs(kind))[name][WHERE]
        found, outputs = forward_at(one, inputs(kind), WHERE, name)
    assert found.shape == (5, V)
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_gradient_is_that_of_all_tokens(kind):
    one, name = network(kind), NETWORKS[kind][3]
    slopes = []
    for logits in (forward_at(one, inputs(kind), WHERE, name)[0], one(**inputs(kind))[name][WHERE]):
        one.zero_grad()
        logits.log_softmax(-1)[:, 5].sum().backward()
        slopes.append(torch.cat([p.grad.flatten() for p in one.parameters() if p.grad is not None]))
    assert torch.allclose(*slopes, atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "bert, both tasks", "roberta", "electra", "albert"])
def test_heads_that_look_at_each_token_by_itself_are_given_the_chosen_ones_only(kind):
    one, name = network(kind), NETWORKS[kind][3]
    widths = []
    head = one.get_output_embeddings()
    forward_at(one, inputs(kind), WHERE, name)  # the trial
    hook = head.register_forward_hook(lambda module, arguments, output: widths.append(output.shape[:-1].numel()))
    forward_at(one, inputs(kind), WHERE, name)
    hook.remove()
    assert widths == [5]


def test_the_second_output_of_bert_is_not_touched():
    one = network("bert, both tasks")
    with torch.no_grad():
        expected = one(**inputs("bert")).seq_relationship_logits
        _, outputs = forward_at(one, inputs("bert"), WHERE, "prediction_logits")
    assert torch.allclose(outputs.seq_relationship_logits, expected, atol=1e-6)


def test_the_network_is_left_as_it_was():
    one = network("bert").train()
    forward_at(one, inputs("bert"), WHERE)
    assert one.training and not one.base_model._forward_hooks


def test_no_token_at_all_makes_no_logits():
    found, _ = forward_at(network("bert"), inputs("bert"), torch.zeros_like(WHERE))
    assert found.shape == (0, V)


@pytest.mark.parametrize("kind", ["bert", "roberta", "deberta"])
def test_the_loss_of_hidden_tokens_is_the_librarys(kind):
    one, given = network(kind), inputs(kind)
    labels = given["input_ids"].masked_fill(~WHERE, -100)
    expected = one(**given, labels=labels).loss * 5
    assert masked_token_loss(one, given | {"labels": labels})[0].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name, config", [
    ("GPT2LMHeadModel", lambda: made.config("gpt2")),
    ("CohereForCausalLM", lambda: transformers.CohereConfig(**SMALL, logit_scale=0.3)),
    ("Gemma2ForCausalLM", lambda: transformers.Gemma2Config(**SMALL | GEMMA)),
])  # fmt: skip
def test_the_loss_of_next_tokens_is_the_librarys_whatever_happens_behind_the_head(name, config):
    torch.manual_seed(0)
    one = getattr(transformers, name)(config()).eval()
    ids = torch.tensor([[2, 9, 8, 4, 12, 3], [2, 7, 4, 3, 0, 0]])
    labels = ids.masked_fill(ids == 0, -100)
    given = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    expected = one(**given, labels=labels).loss * 8  # predicted tokens
    assert next_token_loss(one, given | {"labels": labels}).item() == pytest.approx(expected.item(), rel=1e-4)
