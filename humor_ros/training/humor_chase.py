"""Long roll-outs of the prior's mean, followed in pieces through the recordings.

Every person of a pool is rolled out from a recorded state for some steps; the next piece goes on
from where the prediction ended, while the recording goes on too. Gradients flow within a piece.
So the prior learns where motion goes over a piece, and what to do about its own errors.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.packed import PackedState, pivot_of
from humor_ros.humor.rollout import RollOut, roll_out
from humor_ros.humor.state import CONTACT_JOINTS, FEET_CONTACTS, FRAME_RATE, MotionState
from humor_ros.training.humor_noise import disturbed, resized, sizes
from humor_ros.training.humor_transitions import TransitionLibrary, TransitionWindow, mirrored

__all__ = ["RollOutChase", "chase_terms"]

#: A person farther than this from the recording after a piece starts anew.
_FARTHEST_M = 1.5
#: Errors below a centimetre count as squares.
_SOFT_M = 0.01


class RollOutChase:
    """A pool of B people in the middle of long roll-outs.

    Args:
        library: of the recordings.
        size: B.
        mirror_probability: share of mirrored people.
        pieces: most pieces before a person starts anew.
        disturbed_share: share of the states that a piece starts from that are disturbed.
        size_std: of the logarithm of people's sizes.
    """

    def __init__(
        self,
        library: TransitionLibrary,
        size: int,
        mirror_probability: float,
        pieces: int,
        disturbed_share: float,
        size_std: float = 0.0,
    ) -> None:
        self._library = library
        self._mirror_probability, self._disturbed = mirror_probability, disturbed_share
        self._pieces, self._size_std = pieces, size_std
        self._clip = torch.zeros(size, dtype=torch.int64)
        self._place = torch.zeros(size, dtype=torch.int64)
        self._mirror = torch.zeros(size, dtype=torch.bool)
        self._left = torch.zeros(size, dtype=torch.int64)
        self._size = torch.ones(size, 1)
        self._own = torch.zeros(size, 339)

    def terms(
        self,
        network: HumorNetwork,
        steps: int,
        generator: torch.Generator,
        *,
        sample: bool = False,
    ) -> dict[str, Tensor]:
        """Roll everybody out for a piece and compare; see :func:`chase_terms`.

        Args:
            network: the networks.
            steps: of the piece.
            generator: of the random numbers.
            sample: draw from the prior in place of taking its mean.
        """
        fresh = (self._left <= 0) | (self._place + steps >= self._library.clips.length[self._clip])
        self._start(fresh, steps, generator)
        window = self._library.windows(self._clip, self._place, steps)
        if bool(self._mirror.any()):
            window = mirrored(window, self._mirror)
        window = _enlarged(window, self._size)
        own = torch.where(fresh[:, None], window.past[:, 0], self._own)
        own, _ = disturbed(own, self._disturbed, generator)
        first = MotionState.from_vector(own)
        rolled = roll_out(network, first, n_steps=steps, sample=sample, generator=generator)
        self._go_on(rolled, window, steps)
        return chase_terms(rolled, window)

    def _start(self, who: Tensor, steps: int, generator: torch.Generator) -> None:
        count = int(who.sum())
        if not count:
            return
        clips = self._library.clips
        weights = clips.weights * (clips.length > steps)
        clip = torch.multinomial(weights, count, replacement=True, generator=generator)
        room = (clips.length[clip] - steps).double()
        share = torch.rand(count, generator=generator, dtype=torch.float64)
        self._clip[who], self._place[who] = clip, (share * room).long()
        self._mirror[who] = torch.rand(count, generator=generator) < self._mirror_probability
        self._size[who] = sizes(count, self._size_std, generator)
        # Some start anew after every piece, so that the first second keeps its weight.
        self._left[who] = torch.randint(1, self._pieces + 1, (count,), generator=generator)

    @torch.no_grad()
    def _go_on(self, rolled: RollOut, window: TransitionWindow, steps: int) -> None:
        last = PackedState.pack(MotionState.from_vector(rolled.steps.following[:, -1].detach()))
        offset = rolled.steps.past[:, 0, 207:210] * torch.tensor([1.0, 1.0, 0.0])
        self._own = last.canonical(last.heading(), pivot_of(offset)).row()
        self._place = self._place + steps
        away = (rolled.states.joints[:, -1] - window.joints[:, -1]).norm(dim=-1).amax(dim=1)
        usable = torch.isfinite(self._own).all(dim=1) & (away < _FARTHEST_M)
        self._left = torch.where(usable, self._left - 1, 0)

    def state_dict(self) -> dict[str, Tensor]:
        """For a snapshot."""
        names = ("clip", "place", "mirror", "left", "size", "own")
        return {name: getattr(self, f"_{name}") for name in names}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a snapshot."""
        for name, value in state.items():
            setattr(self, f"_{name}", value.clone())


def _enlarged(window: TransitionWindow, factor: Tensor) -> TransitionWindow:
    return replace(
        window,
        past=resized(window.past, factor),
        following=resized(window.following, factor),
        joints=window.joints * factor[..., None, None],
        offset=window.offset * factor,
    )


def chase_terms(rolled: RollOut, window: TransitionWindow) -> dict[str, Tensor]:
    """How far roll-outs are from recordings; distances count as they are, not squared.

    Args:
        rolled: B motions of T steps.
        window: the recordings.

    Returns:
        ``root``: place on the ground from where the piece began, metres; ``joints``: the same of
        all joints; ``local``: joints about the root in the body's own frame, metres;
        ``rotations``: rad; ``velocities``: of joints, m/s; ``contacts``: cross entropy; ``slide``:
        speed (m/s) of ankles and toes that rest by their label.
    """
    # People who leave all bounds would outweigh the others: left out.
    with torch.no_grad():
        said = rolled.states.joints[:, -1]
        sane = (said - window.joints[:, -1]).norm(dim=-1).amax(dim=1) < 3 * _FARTHEST_M
        keep = torch.nonzero(sane & torch.isfinite(said).flatten(1).all(dim=1)).flatten()
    world, truth = rolled.states.joints[keep], window.joints[keep]
    own = MotionState.from_vector(rolled.steps.following[keep])
    true = MotionState.from_vector(window.following[keep])
    about = (own.joints - own.joints[..., :1, :]) - (true.joints - true.joints[..., :1, :])
    turns = torch.cat((own.root_orient[..., None, :, :], own.pose_body), dim=-3)
    true_turns = torch.cat((true.root_orient[..., None, :, :], true.pose_body), dim=-3)
    labels, flat = window.contacts[keep], window.flat[keep]
    share = flat.mean().clamp_min(1e-6)
    logits = own.parts()["contacts"]
    entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    resting = labels[:, 1:, FEET_CONTACTS] * labels[:, :-1, FEET_CONTACTS]
    feet = [CONTACT_JOINTS[contact] for contact in FEET_CONTACTS]
    moved = _length(world[:, 1:, feet] - world[:, :-1, feet], 0.001) * FRAME_RATE
    return {
        "root": _length(world[:, :, 0, :2] - truth[:, :, 0, :2], _SOFT_M).mean(),
        "joints": _length(world - truth, _SOFT_M).mean(),
        "local": _length(about, _SOFT_M).mean(),
        "rotations": _length((turns - true_turns).flatten(-2), _SOFT_M).mean() / 2**0.5,
        "velocities": _length(own.joints_vel - true.joints_vel, 10 * _SOFT_M).mean(),
        "contacts": (flat[:, None, None] * entropy).mean() / share,
        "slide": (flat[:, None, None] * resting * moved).mean() / share,
    }


def _length(vectors: Tensor, soft: float) -> Tensor:
    return (vectors.square().sum(dim=-1) + soft**2).sqrt() - soft
