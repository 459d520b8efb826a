"""Muon (Keller Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): momentum, made orthogonal by Newton-Schulz."""

import torch
from torch import Tensor


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest (semi-)orthogonal matrix, roughly: singular values land in about 0.7 … 1.2."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """For matrices only. `parts` of a parameter say how its rows are several matrices stacked (q, k, v; gate, up)."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        super().__init__(parameters, {'lr': lr, 'momentum': momentum, 'weight_decay': weight_decay, 'parts': None})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group['params']:
                state = self.state[parameter]
                if not state:
                    state['momentum'] = torch.zeros_like(parameter)
                state['momentum'].lerp_(parameter.grad, 1 - group['momentum'])
                update = parameter.grad.lerp(state['momentum'], group['momentum'])
                rows = group['parts'] or [parameter.shape[0]]
                update = torch.cat(
                    [orthogonalized(part) * max(1.0, part.shape[0] / part.shape[1]) ** 0.5 for part in update.split(rows)]
                )
                parameter.mul_(1 - group['lr'] * group['weight_decay'])
                parameter.add_(update, alpha=-group['lr'])
