import copy

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from runner.train.muon import Muon, groups, orthogonalised


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((8, 8), (8, 24), (24, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.4 and values.max() < 1.3


def test_embeddings_norms_and_biases_are_left_to_adamw():
    network = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=1, n_head=1))
    matrices, others = groups(network, None, 0.1)
    assert sorted(tuple(p.shape) for p in matrices["params"]) == [(8, 8), (8, 24), (8, 32), (32, 8)]
    assert len(matrices["params"]) + len(others["params"]) == len(list(network.parameters()))


def test_adamw_groups_follow_torch_adamw_to_the_last_bits():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    a = Muon([{"params": [ours], "weight_decay": 0.1}], lr=0.01, betas=(0.9, 0.95))
    b = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(20):
        gradient = torch.randn(5)
        for optimizer, parameter in ((a, ours), (b, theirs)):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_a_saved_optimizer_goes_on_as_if_nothing_had_happened():
    def steps(count, parameter, optimizer):
        for i in range(count):
            parameter.grad = torch.full_like(parameter, 0.1 * (i + 1)) + torch.eye(4)
            optimizer.step()

    def made():
        parameter = torch.nn.Parameter(torch.eye(4))
        return parameter, Muon([{"params": [parameter], "orthogonal": True}], lr=0.1, betas=(0.9, 0.999))

    whole, optimizer = made()
    steps(3, whole, optimizer)
    state, kept = copy.deepcopy(optimizer.state_dict()), whole.detach().clone()
    steps(2, whole, optimizer)
    resumed, fresh = made()
    resumed.data.copy_(kept)
    fresh.load_state_dict(state)
    steps(2, resumed, fresh)
    assert torch.equal(resumed, whole)
