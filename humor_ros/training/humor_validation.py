"""How good a prior is: single transitions, roll-outs against simple references, and samples.

The references make the same predictions without a network: *still* leaves the body as it is,
*constant velocity* moves it on as it is with the root's velocity. Starts are evenly spaced over
the clips, so that nothing is drawn by chance; standing idle is more than half of them and is told
apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.humor.networks import HumorNetwork
from humor_ros.humor.rollout import roll_out
from humor_ros.humor.state import (
    BONE_PARENTS,
    CONTACT_JOINTS,
    FEET_CONTACTS,
    FRAME_RATE,
    MotionState,
)
from humor_ros.training.humor_losses import divergence, run_transitions
from humor_ros.training.humor_transitions import TransitionLibrary, TransitionWindow

__all__ = [
    "Starts",
    "bone_lengths",
    "quick_scores",
    "roll_out_scores",
    "starts",
    "transition_scores",
]

_MM = 1000.0
_FEET = [CONTACT_JOINTS[contact] for contact in FEET_CONTACTS]
_SECOND, _TWO_SECONDS = int(FRAME_RATE), int(2 * FRAME_RATE)


@dataclass(frozen=True, eq=False)
class Starts:
    """Evenly spaced windows.

    Attributes:
        window: B windows of T transitions.
        moving: (B,) whether the clip is not of the category "idle".
        clip, place: (B,) clips, and where in them the windows start.
    """

    window: TransitionWindow
    moving: Tensor
    clip: Tensor
    place: Tensor


def starts(library: TransitionLibrary, steps: int, every: int) -> Starts:
    """Windows of ``steps`` transitions, one every ``every`` frames of each clip.

    Raises:
        ValueError: no clip is long enough.
    """
    clips, places = [], []
    for clip, length in enumerate(library.clips.length.tolist()):
        found = torch.arange(0, max(length - steps, 0), every)
        places.append(found)
        clips.append(torch.full_like(found, clip))
    chosen = torch.cat(clips)
    if len(chosen) == 0:
        raise ValueError(f"no clip has {steps + 3} frames; give longer clips or fewer steps")
    moving = torch.tensor([name != "idle" for name in library.clips.categories])
    place = torch.cat(places)
    return Starts(library.windows(chosen, place, steps), moving[chosen], chosen, place)


@torch.no_grad()
def transition_scores(network: HumorNetwork, library: TransitionLibrary) -> dict[str, float]:
    """One step ahead, over every fifth transition of all clips.

    Returns:
        ``reconstruction_*`` with the posterior's mean and ``step_*`` with the prior's mean:
        ``joint_mm``, ``velocity_mm_s``, ``rotation_deg``; the references ``still_step_joint_mm``,
        ``velocity_step_joint_mm`` (each joint goes on) and ``unchanged_velocity_mm_s``;
        ``kl_nats``; ``contact_accuracy`` of
        the nine contacts with the prior's mean, ``contact_f1`` of ankles and toes, and
        ``contact_majority``: what guessing each contact's most frequent label scores. Contacts
        are of clips with a flat floor.
    """
    window = starts(library, 1, 5).window
    target = MotionState.from_vector(window.following)
    posterior = run_transitions(network, window, None)
    guess = network.decode(posterior.prior.mean, window.past)
    scores: dict[str, float] = {}
    past = MotionState.from_vector(window.past)
    moved_on = past.joints + past.joints_vel / FRAME_RATE
    scores["still_step_joint_mm"] = _distance(past.joints, target.joints) * _MM
    scores["velocity_step_joint_mm"] = _distance(moved_on, target.joints) * _MM
    scores["unchanged_velocity_mm_s"] = _distance(past.joints_vel, target.joints_vel) * _MM
    for name, state in (("reconstruction", posterior.predicted), ("step", guess)):
        scores[f"{name}_joint_mm"] = _distance(state.joints, target.joints) * _MM
        scores[f"{name}_velocity_mm_s"] = _distance(state.joints_vel, target.joints_vel) * _MM
        scores[f"{name}_rotation_deg"] = _angle_deg(state, target)
    scores["kl_nats"] = float(divergence(posterior.posterior, posterior.prior).mean())
    flat = window.flat > 0
    labels = window.contacts[flat] > 0.5
    said = guess.parts()["contacts"][flat] > 0
    scores["contact_accuracy"] = float((said == labels).float().mean())
    scores["contact_f1"] = _f1(said[..., FEET_CONTACTS], labels[..., FEET_CONTACTS])
    often = labels.float().mean(dim=(0, 1))
    scores["contact_majority"] = float(torch.maximum(often, 1 - often).mean())
    return scores


@torch.no_grad()
def roll_out_scores(network: HumorNetwork, at: Starts) -> dict[str, float]:
    """The prior's mean roll-out over T steps against the truth and the two references.

    Args:
        network: the networks.
        at: windows of 30 steps or more.

    Returns:
        For ``prior``, ``still`` and ``velocity``: errors in the world of all joints and of the
        root's place on the ground, after 1 s and (for 60 steps or more) 2 s, as
        ``{who}_{joint,root}_{1s,2s}_mm``, with ``moving_`` before it for clips that are not
        idle. ``bone_{1s,2s}_mm``: mean change of bone lengths. ``sliding_mm`` is the
        displacement a frame of ankles and toes that the network calls resting (flat floors),
        ``true_sliding_mm`` that of the truth with the labels; ``roll_contact_accuracy`` is of
        the first second.
    """
    window = at.window
    first = MotionState.from_vector(window.past[:, 0])
    steps = window.past.shape[1]
    rolled = roll_out(network, first, n_steps=steps).states
    truth = window.joints
    time = torch.arange(1, steps + 1)[:, None, None] / FRAME_RATE
    ground = first.trans_vel * first.trans_vel.new_tensor([1.0, 1.0, 0.0])
    still = first.joints[:, None].expand_as(truth)
    ways = {
        "prior": rolled.joints,
        "still": still,
        "velocity": still + ground[:, None, None] * time,
    }
    scores: dict[str, float] = {}
    groups = {"": torch.ones_like(at.moving), "moving_": at.moving}
    for prefix, chosen in groups.items():
        for name, joints in ways.items():
            for label, step in (("1s", _SECOND), ("2s", _TWO_SECONDS)):
                if steps >= step and bool(chosen.any()):
                    said, true = joints[chosen, step - 1], truth[chosen, step - 1]
                    scores[f"{prefix}{name}_joint_{label}_mm"] = _distance(said, true) * _MM
                    root = _distance(said[:, 0, :2], true[:, 0, :2])
                    scores[f"{prefix}{name}_root_{label}_mm"] = root * _MM
    logits = rolled.parts()["contacts"]
    grown = bone_lengths(rolled.joints) - bone_lengths(first.joints)[:, None]
    for label, step in (("1s", _SECOND), ("2s", _TWO_SECONDS)):
        if steps >= step:
            scores[f"bone_{label}_mm"] = float(grown[:, step - 1].abs().mean()) * _MM
    flat = window.flat > 0
    resting = logits[flat][..., FEET_CONTACTS] > 0
    labels = window.contacts[flat][..., FEET_CONTACTS] > 0.5
    scores["sliding_mm"] = _sliding(rolled.joints[flat], resting)
    scores["true_sliding_mm"] = _sliding(truth[flat], labels)
    near = slice(0, _SECOND)
    agree = (logits[flat][:, near] > 0) == (window.contacts[flat][:, near] > 0.5)
    scores["roll_contact_accuracy"] = float(agree.float().mean())
    return scores


def quick_scores(network: HumorNetwork, library: TransitionLibrary) -> dict[str, float]:
    """The scores of a training run's curve: one step, and a roll-out of 2 s every 2 s."""
    longest = int(library.clips.length.max())
    steps = min(_TWO_SECONDS, longest - 1)
    scores = transition_scores(network, library)
    if steps >= _SECOND:
        scores |= roll_out_scores(network, starts(library, steps, steps))
    return scores


def bone_lengths(joints: Tensor) -> Tensor:
    """(..., 21) lengths of the bones of joints (..., 22, 3)."""
    return (joints[..., 1:, :] - joints[..., BONE_PARENTS[1:], :]).norm(dim=-1)


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm(dim=-1).mean())


def _angle_deg(state: MotionState, target: MotionState) -> float:
    """Mean angle between the rotations of root and body joints."""

    def all_rotations(s: MotionState) -> Tensor:
        return torch.cat((s.root_orient[..., None, :, :], s.pose_body), dim=-3)

    chord = (all_rotations(state) - all_rotations(target)).flatten(start_dim=-2).norm(dim=-1)
    # |R - S|_F = 2 sqrt(2) sin(angle / 2)
    return float(torch.rad2deg(2 * (chord / 8**0.5).clamp(max=1).asin()).mean())


def _f1(said: Tensor, labels: Tensor) -> float:
    both = float((said & labels).sum())
    return 2 * both / max(float(said.sum() + labels.sum()), 1.0)


def _sliding(joints: Tensor, resting: Tensor) -> float:
    """Mean displacement (mm) of ankles and toes between two frames that both rest."""
    moved = (joints[:, 1:, _FEET] - joints[:, :-1, _FEET]).norm(dim=-1)
    held = resting[:, 1:] & resting[:, :-1]
    return float((moved * held).sum() / held.sum().clamp_min(1)) * _MM
