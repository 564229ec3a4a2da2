"""L-BFGS as the published fit uses it: outer iterations of one optimiser, with a safe way out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.objective import ObjectiveValue

__all__ = ["Minimum", "minimise"]

_log = logging.getLogger(__name__)

#: A value that is not finite counts as this many times the last energy in the line search, which
#: then tries a shorter step.
_WALL = 1e3


@dataclass(frozen=True)
class Minimum:
    """How a minimisation went.

    Attributes:
        energies: total at the start and after every outer iteration.
        terms: unweighted energies at the end.
        diverged: whether the energy was not finite at the start or after an iteration; the
            variables are then those of the last iteration at which it was.
    """

    energies: tuple[float, ...]
    terms: dict[str, float]
    diverged: bool


def minimise(
    objective: Callable[[Mapping[str, Tensor]], ObjectiveValue],
    variables: dict[str, Tensor],
    free: tuple[str, ...],
    *,
    iterations: int,
    inner_iterations: int = 20,
    learning_rate: float = 1.0,
) -> Minimum:
    """Minimise an objective over some of its variables, in place.

    An outer iteration that moves nothing ends the minimisation, for all further ones would do
    the same.

    Args:
        objective: value for variables by name.
        variables: leaves by name; those that are free get their new values.
        free: names of the variables to change.
        iterations: outer iterations.
        inner_iterations: iterations of L-BFGS in each.
        learning_rate: first step length.
    """
    for name, tensor in variables.items():
        tensor.requires_grad_(name in free)
    parameters = [variables[name] for name in free]
    optimiser = torch.optim.LBFGS(
        parameters,
        lr=learning_rate,
        max_iter=inner_iterations,
        history_size=100,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        total = objective(variables).total
        if not bool(torch.isfinite(total)):
            for parameter in parameters:
                parameter.grad = torch.zeros_like(parameter)
            return torch.full_like(total, _WALL * (1.0 + abs(energies[-1])))
        total.backward()
        return total

    energies = [_total(objective, variables)]
    diverged = not _finite(energies[-1])
    for _ in range(0 if diverged else iterations):
        before = [parameter.detach().clone() for parameter in parameters]
        optimiser.step(closure)
        energy = _total(objective, variables)
        if not _finite(energy):
            diverged = True
            _restore(parameters, before)
            _log.warning("the fit diverged after %d outer iterations", len(energies) - 1)
            break
        energies.append(energy)
        if all(torch.equal(new, old) for new, old in zip(parameters, before, strict=True)):
            break
    for tensor in variables.values():
        tensor.requires_grad_(False)
        tensor.grad = None
    with torch.no_grad():
        terms = {name: float(term) for name, term in objective(variables).terms.items()}
    return Minimum(tuple(energies), terms, diverged)


@torch.no_grad()
def _restore(parameters: list[Tensor], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def _total(
    objective: Callable[[Mapping[str, Tensor]], ObjectiveValue], variables: Mapping[str, Tensor]
) -> float:
    with torch.no_grad():
        return float(objective(variables).total)


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")
