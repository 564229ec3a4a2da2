"""Levenberg-Marquardt on one window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from humor_ros.humor.window_normal import SolveError
from humor_ros.humor.window_problem import WindowProblem, latent_step
from humor_ros.humor.window_transition import NetworkSlopes
from humor_ros.humor.window_values import WindowMotion

__all__ = ["WindowSolution", "solve_window"]

_FIRST_DAMPING = 1e-3
_MOST_DAMPING = 1e6
_SMALL_GAIN = 1e-4


@dataclass(frozen=True, eq=False)
class WindowSolution:
    """Where a window ended.

    Attributes:
        motion: the best motion found.
        cost: its energy; ``costs`` those after every accepted step, the start's first.
        slopes: last derivatives of the networks.
        converged: whether the last step gained next to nothing.
        diverged: whether nothing better than the start was found, or numbers are not finite.
        seconds: time used.
    """

    motion: WindowMotion
    cost: float
    slopes: NetworkSlopes | None
    converged: bool
    diverged: bool
    seconds: float
    costs: list[float] = field(default_factory=list)


def solve_window(
    problem: WindowProblem,
    start: WindowMotion,
    *,
    iterations: int,
    slopes: NetworkSlopes | None = None,
    renew: bool = True,
) -> WindowSolution:
    """Minimise a window's energy.

    Args:
        problem: the window.
        start: first motion.
        iterations: most steps that are tried.
        slopes: derivatives of the networks for the first transitions, kept from before.
        renew: whether they are computed anew in every iteration; otherwise those given and
            those computed in the first iteration serve throughout (chord method).
    """
    begin = time.perf_counter()
    motion, damping, growth = start, _FIRST_DAMPING, 2.0
    linear, last = None, slopes
    costs: list[float] = []
    converged = False
    for _ in range(iterations):
        if linear is None:
            problem.freeze(motion)  # contacts follow the motion, step by step
            linear = problem.linearise(motion, slopes=slopes)
            last = linear.slopes
            slopes = None if renew else last
            if not math.isfinite(linear.cost):
                break
            if not costs:
                costs.append(linear.cost)
        try:
            step = linear.normal.solve(damping)
        except SolveError:
            damping *= 10.0
            if damping > _MOST_DAMPING:
                break
            continue
        trial = motion.moved(step, latent_step(linear, step.moves))
        cost = problem.cost(trial) if trial.finite() else math.inf
        if math.isfinite(cost) and cost < linear.cost:
            gain = (linear.cost - cost) / max(abs(linear.cost), 1e-9)
            motion, linear = trial, None
            costs.append(cost)
            damping, growth = max(damping / 5.0, 1e-7), 2.0
            if gain < _SMALL_GAIN:
                converged = True
                break
        else:
            damping, growth = damping * growth * 2.0, growth * 2.0
            if damping > _MOST_DAMPING:
                break
    return WindowSolution(
        motion=motion,
        cost=costs[-1] if costs else math.inf,
        slopes=last,
        converged=converged,
        diverged=not costs or not motion.finite(),
        seconds=time.perf_counter() - begin,
        costs=costs,
    )
