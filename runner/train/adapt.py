"""Which weights are trained: all of them, those above the first layers, the head, or small matrices beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from runner.backends.adapter import NAME, imported_peft
from runner.errors import ConfigError
from runner.quiet import quiet

if TYPE_CHECKING:
    from runner.config import Config, LoraConfig, TrainConfig


def adapt(config: Config, model: Any, say: Callable[[str], None]) -> Any | None:
    """Freeze what `train.method` leaves as it is, in place; with lora, put peft's matrices on and return its tuner.

    The network stays the object that it was, and its matrices follow the seed alone.

    Raises:
        ConfigError: when the network has nothing of the kind that is to be trained.
    """
    network = model.network
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        tuner = METHODS[config.train.method](config.train, model)
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    if not trained:
        raise ConfigError(f"train.frozen_layers  is {config.train.frozen_layers}: nothing is left to train")
    if tuner is not None or any(not parameter.requires_grad for parameter in network.parameters()):
        say(f"trains {_count(trained)} of {_count(model.parameters)} parameters")
    return tuner


def _first_layers(train: TrainConfig, model: Any) -> None:
    """Freeze the first layers of the body, what comes before them, and embeddings beside them."""
    if not train.frozen_layers:
        return
    body = model.network.base_model
    stacks = _stacks(body)
    longest = max((len(stack) for _, stack in stacks), default=0)
    if train.frozen_layers > longest:
        raise ConfigError(f"train.frozen_layers  is {train.frozen_layers}, but {model.name} has {longest} layers")
    stacks = [(name, stack) for name, stack in stacks if len(stack) == longest]
    frozen = [layer for _, stack in stacks for layer in stack[: train.frozen_layers]]
    inside = {id(module) for _, stack in stacks for module in stack.modules()}
    frozen += [m for m in body.modules() if isinstance(m, nn.Embedding) and id(m) not in inside]
    for name, parameter in body.named_parameters():
        if any(name.startswith(f"{stack}.") for stack, _ in stacks):
            break
        parameter.requires_grad = False
    for module in frozen:
        module.requires_grad_(False)


def _stacks(body: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """The lists of layers, without those inside of layers."""
    found: list[tuple[str, nn.ModuleList]] = []
    for name, module in body.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{outer}.") for outer, _ in found):
            found.append((name, module))
    return found


def _head(train: TrainConfig, model: Any) -> None:
    """Freeze the body, but for weights in it that are new."""
    network = model.network
    trained = {*_outside(network), *model.random_weights}
    if not trained:
        raise ConfigError(
            f"train.method  {model.name} has no head of its own ({type(network).__name__}): train=lora or train=full"
        )
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name in trained


def _matrices(train: TrainConfig, model: Any) -> Any:
    """Freeze everything and put matrices of low rank on; the head and new weights are trained as they are."""
    peft, network, lora = imported_peft(), model.network, train.lora
    whole = _whole(network, model.random_weights)
    settings = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_targets(network, whole, lora),
        modules_to_save=whole or None,
        use_dora=lora.variant == "dora",
        use_rslora=lora.variant == "rslora",
    )
    try:
        tuner = peft.LoraModel(network, settings, NAME)
    except (ValueError, TypeError) as error:  # a layer of a kind that peft has no matrices for
        raise ConfigError(f"train.lora.targets  cannot be adapted: {str(error).splitlines()[0][:200]}") from error
    wrapped = {n for n, module in network.named_modules() if isinstance(module, peft.utils.ModulesToSaveWrapper)}
    assert wrapped == set(whole), f"peft takes {wrapped} for {whole}"
    return tuner


def _outside(network: Any) -> list[str]:
    """Names of the weights outside of the body, and not tied to one in it."""
    body = network.base_model
    if body is network:
        return []
    inside = {id(parameter) for parameter in body.parameters()}
    return [name for name, parameter in network.named_parameters() if id(parameter) not in inside]


def _whole(network: Any, new: Iterable[str]) -> list[str]:
    """Modules that are trained as they are: the head, and those with new weights.

    What holds output embeddings is none: they are the largest matrix of a language model, and often tied.
    """
    vocabulary = _output_embeddings(network)
    tops = {name.partition(".")[0] for name in _outside(network) if "." in name}
    head = sorted(top for top in tops if vocabulary not in list(getattr(network, top).modules()))
    parents = sorted({name.rpartition(".")[0] for name in new})
    return head + [
        name
        for name in parents
        if name and not _within(name, head) and vocabulary not in list(network.get_submodule(name).modules())
    ]


def _targets(network: Any, whole: Iterable[str], lora: LoraConfig) -> list[str]:
    """Full names of the layers that get matrices: those asked for, else every linear one."""
    from transformers.pytorch_utils import Conv1D

    vocabulary = _output_embeddings(network)
    modules = [(n, m) for n, m in network.named_modules() if n and not _within(n, whole) and m is not vocabulary]
    linear = [name for name, module in modules if isinstance(module, nn.Linear | Conv1D)]
    if lora.targets is None:
        return linear
    asked = [f".{target}" for target in lora.targets]
    found = [name for name, _ in modules if f".{name}".endswith(tuple(asked))]
    lost = [target for target in lora.targets if not any(f".{name}".endswith(f".{target}") for name in found)]
    if lost:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
        raise ConfigError(
            f"train.lora.targets  {lost[0]} is no layer of {type(network).__name__}; linear ones: {known}"
        )
    return found


def _output_embeddings(network: Any) -> Any:
    try:
        return network.get_output_embeddings()
    except (NotImplementedError, AttributeError):
        return None


def _within(name: str, modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _count(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,}"


METHODS: dict[str, Callable[[TrainConfig, Any], Any]] = {"full": _first_layers, "lora": _matrices, "head": _head}
