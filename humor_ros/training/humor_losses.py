"""The losses that HuMoR is trained with, and the passes through the networks that they read.

Rempe et al., "HuMoR", ICCV 2021, section 3.4 and supplement. All are means over numbers but the
KL divergence, which is summed over the latent dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from humor_ros.humor.body import HumorBody
from humor_ros.humor.networks import HumorNetwork, LatentGaussian
from humor_ros.humor.packed import PackedState, pivot_of
from humor_ros.humor.state import CONTACT_JOINTS, NUM_CONTACTS, MotionState
from humor_ros.training.humor_config import HumorLossConfig
from humor_ros.training.humor_transitions import TransitionWindow

__all__ = [
    "Transitions",
    "divergence",
    "forecast_loss",
    "humor_losses",
    "run_transitions",
    "weighted_total",
]

_MATCHED = (
    *("trans", "trans_vel", "root_orient", "root_orient_vel"),
    *("pose_body", "joints", "joints_vel"),
)


@dataclass(frozen=True, eq=False)
class Transitions:
    """What the networks said about T transitions of B people, in each step's own frame.

    Attributes:
        predicted: (B, T) next states with contact logits.
        posterior: (B, T, latent).
        prior: (B, T, latent).
    """

    predicted: MotionState
    posterior: LatentGaussian
    prior: LatentGaussian


def run_transitions(
    network: HumorNetwork,
    window: TransitionWindow,
    generator: torch.Generator | None,
    *,
    own_output: Sequence[bool] = (),
    bfloat16: bool = False,
) -> Transitions:
    """Encode and decode the transitions of a window.

    Args:
        network: the networks.
        window: B windows of T steps.
        generator: of z, drawn from the posterior; None takes the posterior's mean.
        own_output: for each of T steps whether it reads the prediction of the step before (as a
            constant, so that no gradient flows through time) rather than the truth; empty for
            never, and then all steps are computed at once.
        bfloat16: let posterior and prior multiply in bfloat16.
    """
    if not any(own_output):
        shape = window.past.shape[:2]
        flat = _step(
            network, window.past.flatten(0, 1), window.following.flatten(0, 1), generator, bfloat16
        )
        return Transitions(
            flat.predicted.map(lambda part: part.unflatten(0, shape)),
            _mapped(flat.posterior, shape),
            _mapped(flat.prior, shape),
        )
    pivot = pivot_of(window.offset)
    steps: list[Transitions] = []
    for step, own in enumerate(own_output):
        past = window.past[:, step]
        if own and steps:
            last = PackedState.pack(steps[-1].predicted.map(Tensor.detach))
            past = last.canonical(last.heading(), pivot).row()
        steps.append(_step(network, past, window.following[:, step], generator, bfloat16))
    return Transitions(
        MotionState.stack([s.predicted for s in steps], dim=1),
        _stacked([s.posterior for s in steps]),
        _stacked([s.prior for s in steps]),
    )


def humor_losses(
    answer: Transitions, window: TransitionWindow, body: HumorBody, weights: HumorLossConfig
) -> dict[str, Tensor]:
    """All terms without their weights, under the names of :class:`HumorLossConfig`.

    Args:
        answer: of the networks.
        window: what they were given, with T steps.
        body: poses the predicted joints and, where their weight is not zero, its vertices.
        weights: terms of weight zero that cost time are left out.
    """
    predicted, target = answer.predicted, MotionState.from_vector(window.following)
    terms = {
        name: functional.mse_loss(getattr(predicted, name), getattr(target, name))
        for name in _MATCHED
    }
    terms["kl"] = divergence(answer.posterior, answer.prior).mean()
    logits = predicted.parts()["contacts"]
    flat = window.flat[:, None, None].expand_as(logits)
    share = flat.mean().clamp_min(1e-6)
    entropy = functional.binary_cross_entropy_with_logits(logits, window.contacts, reduction="none")
    terms["contacts"] = (flat * entropy).mean() / share
    speed = predicted.joints_vel[..., CONTACT_JOINTS, :].square().sum(dim=-1)
    terms["contact_velocity"] = (flat * torch.sigmoid(logits) * speed).mean() / share
    if weights.body_joints or weights.body_consistency or weights.body_vertices:
        chosen = body if weights.body_vertices else body.with_vertices(())
        posed = _posed(chosen, window.betas, predicted)
        terms["body_joints"] = functional.mse_loss(posed[0], target.joints)
        terms["body_consistency"] = functional.mse_loss(posed[0], predicted.joints)
        if weights.body_vertices:
            with torch.no_grad():
                truth = _posed(chosen, window.betas, target)
            terms["body_vertices"] = functional.mse_loss(posed[1], truth[1])
    return terms


def forecast_loss(
    network: HumorNetwork, window: TransitionWindow, *, bfloat16: bool = False
) -> Tensor:
    """Squared error (m²) of the joints of the prior's mean roll-out, in the frame of its start.

    Not among the published losses: it teaches prior and decoder together where motion goes when
    nothing is observed. Gradients flow through time.

    Args:
        network: the networks.
        window: B windows of T steps.
        bfloat16: let posterior and prior multiply in bfloat16.
    """
    pivot = pivot_of(window.offset)
    state = PackedState.pack(MotionState.from_vector(window.past[:, 0]))
    steps: list[PackedState] = []
    for _ in range(window.past.shape[1]):
        past = state.row()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            z = network.prior(past).mean.float()
        steps.append(state.changed(network.decode_raw(z, past)))
        state = steps[-1].canonical(steps[-1].heading(), pivot)
    return functional.mse_loss(_chained_joints(steps, pivot), window.joints)


def _chained_joints(steps: Sequence[PackedState], pivot: Tensor) -> Tensor:
    """(B, T, 22, 3) of states that each stand in the frame of the one before."""
    vectors = steps[0].vectors
    turn = torch.eye(3, dtype=vectors.dtype).expand(len(vectors), 3, 3)
    place = torch.zeros_like(vectors[:, 0])
    out = []
    for state in steps:
        outside = state.outside(turn, place, pivot).unpack()
        out.append(outside.joints)
        place = outside.trans * outside.trans.new_tensor([1.0, 1.0, 0.0])
        turn = state.heading() @ turn
    return torch.stack(out, dim=1)


def divergence(posterior: LatentGaussian, prior: LatentGaussian) -> Tensor:
    """(...) KL divergence of the posterior from the prior, nats."""
    ratio = posterior.variance / prior.variance
    away = (posterior.mean - prior.mean).square() / prior.variance
    return 0.5 * (ratio + away - 1.0 - ratio.log()).sum(dim=-1)


def weighted_total(terms: dict[str, Tensor], weights: HumorLossConfig, kl_share: float) -> Tensor:
    """The sum that is minimised.

    Args:
        terms: of :func:`humor_losses`, and ``forecast`` where there is one.
        weights: of each.
        kl_share: factor on the KL term, which rises from 0 to 1.
    """
    total = torch.zeros(())
    for entry in fields(weights):
        if entry.name in terms:
            factor = kl_share if entry.name == "kl" else 1.0
            total = total + factor * getattr(weights, entry.name) * terms[entry.name]
    return total


def _step(
    network: HumorNetwork,
    past: Tensor,
    following: Tensor,
    generator: torch.Generator | None,
    bfloat16: bool,
) -> Transitions:
    """One transition of rows (N, 339)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        posterior, prior = network.posterior(past, following), network.prior(past)
    posterior, prior = _float(posterior), _float(prior)
    z = posterior.mean if generator is None else posterior.sample(generator)
    # Millimetres a frame are beyond eight bits: the decoder multiplies in float32.
    raw = network.decode_raw(z, past)
    packed = PackedState.pack(MotionState.from_vector(past))
    predicted = packed.changed(raw).unpack(raw[..., -NUM_CONTACTS:])
    return Transitions(predicted, posterior, prior)


def _posed(body: HumorBody, betas: Tensor, state: MotionState) -> tuple[Tensor, Tensor]:
    rotations = torch.cat((state.root_orient[..., None, :, :], state.pose_body), dim=-3)
    if body.num_vertices == 0:
        joints = body.joints(betas, rotations, state.trans)
        return joints, joints[..., :0, :]
    points = body(betas, rotations, state.trans)
    return points.joints, points.vertices


def _float(gaussian: LatentGaussian) -> LatentGaussian:
    return LatentGaussian(gaussian.mean.float(), gaussian.variance.float())


def _mapped(gaussian: LatentGaussian, shape: tuple[int, ...]) -> LatentGaussian:
    return LatentGaussian(gaussian.mean.unflatten(0, shape), gaussian.variance.unflatten(0, shape))


def _stacked(gaussians: list[LatentGaussian]) -> LatentGaussian:
    return LatentGaussian(
        torch.stack([g.mean for g in gaussians], dim=1),
        torch.stack([g.variance for g in gaussians], dim=1),
    )
