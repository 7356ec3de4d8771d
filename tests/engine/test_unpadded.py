"""Batches that go through a network as one row: the same outputs and gradients, and nothing left behind."""

import pytest
import torch
import transformers

from runner.engine.unpadded import runs_of, unpadded, why_padded
from runner.train.layout import Layout

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 40, "pad_token_id": 0,
}  # fmt: skip
GPT2 = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40, "pad_token_id": 0}
DISTIL = {"vocab_size": 64, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 40}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
TAKING = {
    "BertForSequenceClassification": ("BertConfig", SIZES),
    "BertForPreTraining": ("BertConfig", SIZES),
    "BertForMultipleChoice": ("BertConfig", SIZES),
    "RobertaForSequenceClassification": ("RobertaConfig", SIZES),
    "XLMRobertaForTokenClassification": ("XLMRobertaConfig", SIZES | {"pad_token_id": 1}),
    "ElectraForQuestionAnswering": ("ElectraConfig", SIZES | {"embedding_size": 16}),
    "DistilBertForSequenceClassification": ("DistilBertConfig", DISTIL),
    "LlamaForCausalLM": ("LlamaConfig", SIZES | {"num_key_value_heads": 2}),
    "Qwen3ForSequenceClassification": ("Qwen3Config", SIZES | GROUPED),
    "GPT2ForSequenceClassification": ("GPT2Config", GPT2),
    "GPT2LMHeadModel": ("GPT2Config", GPT2),
}
LENGTHS = (13, 12, 9, 9, 3, 1)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def network(name, **others):
    config, sizes = TAKING[name]
    torch.manual_seed(0)
    return getattr(transformers, name)(getattr(transformers, config)(**sizes | others)).eval()


def batch(one):
    """Six padded texts; for multiple choice three questions of two."""
    pad = one.config.pad_token_id or 0
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.randint(5, 60, mask.shape, generator=torch.Generator().manual_seed(1)).masked_fill(mask == 0, pad)
    given = {"input_ids": ids, "attention_mask": mask}
    return {n: v.view(3, 2, -1) for n, v in given.items()} if "MultipleChoice" in type(one).__name__ else given


def answers(one, given):
    """All numbers of all outputs that are about texts or tokens."""
    outputs = one(**given)
    found = [outputs[name] for name in outputs if name.endswith("logits")]
    mask = given["attention_mask"].bool()
    return torch.cat([(v[mask] if v.shape[:2] == mask.shape else v).flatten() for v in found])


def slopes(one, given):
    one.zero_grad()
    numbers = answers(one, given).float()
    numbers.mul(torch.linspace(-1, 1, len(numbers))).sum().backward()
    return torch.cat([p.grad.flatten().float() for p in one.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", TAKING)
def test_outputs_and_gradients_are_those_of_the_padded_batch(name):
    one = network(name)
    assert why_padded(one) is None
    given = batch(one)
    expected, slope = answers(one, given).detach(), slopes(one, given)
    with unpadded(one):
        with torch.no_grad():
            assert torch.allclose(answers(one, given), expected, atol=1e-6)
        assert torch.allclose(slopes(one, given), slope, atol=1e-5 * float(slope.abs().max()))


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "LlamaForCausalLM"])
def test_in_bfloat16_the_gradient_is_as_near_to_the_exact_one_as_the_librarys(name):
    one = network(name)
    given = batch(one)
    exact = slopes(one, given)
    with torch.autocast("cpu", torch.bfloat16):
        theirs = slopes(one, given)
        with unpadded(one):
            ours = slopes(one, given)
    assert (ours - exact).norm() <= 1.5 * (theirs - exact).norm() + 1e-6
    assert (ours - exact).norm() <= 0.05 * exact.norm()


def test_only_tokens_go_through_the_layers():
    one, seen = network("BertForSequenceClassification"), []
    assert why_padded(one) is None
    one.bert.encoder.layer[0].intermediate.register_forward_hook(lambda m, given, made: seen.append(made.shape[:2]))
    with unpadded(one):
        one(**batch(one))
    one(**batch(one))
    assert seen == [(1, sum(LENGTHS)), (len(LENGTHS), max(LENGTHS))]


def test_dropout_of_attention_falls_on_written_out_weights_too():
    one = network("BertForSequenceClassification", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.5).train()
    with torch.autocast("cpu", torch.bfloat16), unpadded(one):
        first, second = (one(**batch(one)).logits for _ in range(2))
        assert not torch.equal(first, second)
        assert torch.equal(*(one.eval()(**batch(one)).logits for _ in range(2)))


def test_texts_of_like_lengths_are_one_run_and_go_back_to_their_places():
    runs = runs_of([13, 12, 9, 8, 8], 8, torch.device("cpu"))
    assert [(run.tokens, run.texts, run.length, run.seen is None) for run in runs] == [
        (34, 3, 16, False),
        (16, 2, 8, True),
    ]
    states = torch.arange(34.0).view(1, 34, 1)
    padded = runs[0].apart(states)
    assert padded.shape == (3, 1, 16, 1)
    assert padded[1, 0, :12, 0].tolist() == [float(at) for at in range(13, 25)]
    assert torch.equal(runs[0].together(padded)[:, 0, 0], states[0, :, 0])
    assert [run.length for run in runs_of([13, 12, 9], 1, torch.device("cpu"))] == [13, 12, 9]


REFUSING = {
    "its attention does not stay inside each text": ("BloomForCausalLM", "BloomConfig", {"n_layer": 2, "n_head": 2}),
    "its layers keep a window or a state": (
        "MistralForCausalLM", "MistralConfig",
        {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "sliding_window": 8},
    ),
    "the network has an encoder": ("T5ForConditionalGeneration", "T5Config", {"num_layers": 1, "d_model": 16}),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSING)
def test_networks_that_cannot_are_found_by_trial_and_see_their_batches_as_they_are(reason):
    name, config, sizes = REFUSING[reason]
    torch.manual_seed(0)
    sizes = {"vocab_size": 16, "hidden_size": 16, "pad_token_id": 0} | sizes
    one = getattr(transformers, name)(getattr(transformers, config)(**sizes)).eval()
    assert why_padded(one) == reason
    ids = torch.tensor([[2, 7, 8, 3], [2, 5, 3, 0]])
    given = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    given |= {"decoder_input_ids": ids} if one.config.is_encoder_decoder else {}
    with torch.no_grad():
        with unpadded(one):
            inside = one(**given).logits
        assert torch.equal(inside, one(**given).logits)


def test_a_leak_is_found_however_little_comes_through_it():
    torch.manual_seed(0)
    one = transformers.MegatronBertModel(transformers.MegatronBertConfig(**SIZES)).eval()  # has an attention of its own
    with torch.no_grad():
        for layer in one.encoder.layer:
            layer.attention.self.value.weight.mul_(1e-3)
    assert why_padded(one) == "its attention does not stay inside each text"


def test_a_recurrent_network_sees_its_batches_as_they_are():
    assert why_padded(transformers.MambaForCausalLM(transformers.MambaConfig(num_hidden_layers=1, vocab_size=16)))


def test_positions_and_caches_that_are_given_are_left_alone():
    one = network("GPT2LMHeadModel")
    ids = torch.tensor([[5, 6, 7], [8, 9, 4]])
    with torch.no_grad(), unpadded(one):
        first = one(input_ids=ids, position_ids=torch.tensor([[4, 5, 6]]), use_cache=True)
        assert first.past_key_values is not None
        second = one(input_ids=ids[:, :1], past_key_values=first.past_key_values)
    assert torch.equal(first.logits, one(input_ids=ids, position_ids=torch.tensor([[4, 5, 6]])).logits)
    assert second.logits.shape == (2, 1, 64)


def test_all_hidden_states_are_padded_again():
    one = network("BertForPreTraining")
    given, mask = batch(one), batch(one)["attention_mask"].bool()
    expected = one(**given, output_hidden_states=True).hidden_states
    with unpadded(one):
        found = one(**given, output_hidden_states=True).hidden_states
    assert len(found) == len(expected) == 3
    assert all(torch.allclose(a[mask], b[mask], atol=1e-6) for a, b in zip(found, expected, strict=True))


def test_the_network_is_left_as_it_was_even_by_an_error():
    one = network("GPT2LMHeadModel").train()
    assert why_padded(one) is None
    with pytest.raises(IndexError), unpadded(one):
        one(input_ids=torch.tensor([[1, 2, 10_000]]), attention_mask=torch.tensor([[1, 1, 1]]))
    assert one.training and one.config._attn_implementation == "sdpa"
    assert not one.transformer._forward_hooks and not one.transformer._forward_pre_hooks


def test_a_step_of_contrast_is_one_batch_whatever_the_layout():
    examples = [{"input_ids": [[5] * n, [6] * 3], "labels": 1} for n in (4, 9, 2)]
    (micro,) = Layout("packed", tokens=None, pad=0)(examples)["micro"]
    assert micro["input_ids"].shape == (3, 2, 9)
