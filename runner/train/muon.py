"""Muon: momentum whose update of each weight matrix is made orthogonal, beside AdamW for everything else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# Newton-Schulz coefficients and iterations: Jordan et al. 2024, "Muon: An optimizer for hidden layers"
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """One optimizer over two kinds of groups, told apart by `orthogonal`.

    torch.optim.Muon computes its iteration in bfloat16, which processors without bfloat16 units emulate some fifty
    times slower, and takes no other parameters; this one works in the precision that the training computes in.

    Args:
        groups: as `groups` makes them.
        lr, betas: of AdamW; lr of the matrices, too, where their group has none.
        momentum: of the matrices.
        dtype: of the iteration.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        lr: float,
        betas: tuple[float, float],
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "momentum": momentum,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "orthogonal": False,
        }
        super().__init__(groups, defaults)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            update = self._orthogonal if group["orthogonal"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update(parameter, self.state[parameter], group)

    def _orthogonal(self, parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
        direction = parameter.grad.lerp(state["momentum"], group["momentum"])  # type: ignore[union-attr]
        scale = 0.2 * max(parameter.shape) ** 0.5  # as large as AdamW's: Liu et al. 2025, "Muon is scalable", eq. 4
        parameter.add_(orthogonalised(direction.to(self.dtype)), alpha=-group["lr"] * scale)

    def _adam(self, parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        slow, fast = group["betas"]
        state["mean"].lerp_(parameter.grad, 1 - slow)
        state["square"].mul_(fast).addcmul_(parameter.grad, parameter.grad, value=1 - fast)
        mean = state["mean"] / (1 - slow ** state["step"])
        root = (state["square"] / (1 - fast ** state["step"])).sqrt_().add_(group["eps"])
        parameter.addcdiv_(mean, root, value=-group["lr"])


def orthogonalised(matrix: Any) -> Any:
    """The nearest semi-orthogonal matrix, roughly: singular values end between 0.7 and 1.2; (H, W) to (H, W)."""
    tall = matrix.size(0) > matrix.size(1)
    found = matrix.T if tall else matrix
    found = found / (found.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.T if tall else found


def groups(network: Any, matrix_lr: float | None, weight_decay: float) -> list[dict[str, Any]]:
    """Hidden matrices to Muon; embeddings, heads, norms and biases to AdamW."""
    outside = {id(p) for m in network.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    head = network.get_output_embeddings() if hasattr(network, "get_output_embeddings") else None
    outside |= {id(p) for p in head.parameters()} if head is not None else set()
    trained = [p for p in network.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim == 2 and id(p) not in outside]
    others = [p for p in trained if p.ndim != 2 or id(p) in outside]
    return [
        {"params": matrices, "weight_decay": weight_decay, "orthogonal": True}
        | ({"lr": matrix_lr} if matrix_lr else {}),
        {"params": others},
    ]
