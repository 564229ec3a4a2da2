"""Recorded motion for HuMoR: what every clip holds in the prior's world, and its states.

The world is z-up with the floor at z = 0, 30 frames a second. The clips of the free data set have
the default shape; other shapes are drawn for them here, as AMASS has those of its people.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from humor_ros.geometry.rotation import rotation_6d_to_matrix
from humor_ros.humor.body import HumorBody
from humor_ros.humor.state import (
    CONTACT_JOINTS,
    FEET_CONTACTS,
    FRAME_RATE,
    NUM_CONTACTS,
    NUM_JOINTS,
    MotionState,
)
from humor_ros.training.humor_config import HumorDataConfig
from humor_ros.training.mocap import ZUP_TO_YDOWN, MocapLibrary
from humor_ros.training.synthesis_config import DataConfig

__all__ = ["ClipTable", "MocapMotions", "MotionSource", "RecordedStates", "differentiated"]

_CHUNK = 16_384
#: Ankles and toes.
_FEET = [CONTACT_JOINTS[contact] for contact in FEET_CONTACTS]
#: Collars, shoulders, elbows and wrists.
_ARMS = [13, 14, 16, 17, 18, 19, 20, 21]
_LEG_BONES = ((1, 4), (4, 7), (2, 5), (5, 8))


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Which rows belong to which clip.

    Attributes:
        start: (C,) first row of each clip.
        length: (C,) rows.
        weights: (C,) chance of each clip, sums to 1.
        flat: (C,) whether the floor is flat, so that heights and contacts mean something.
        names: C names.
        categories: C names of categories.
    """

    start: Tensor
    length: Tensor
    weights: Tensor
    flat: Tensor
    names: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RecordedStates:
    """States of all clips on end.

    Attributes:
        states: (N) in the world, with contact labels (0 or 1) in place of logits.
        betas: (C, S) shape of each clip.
    """

    states: MotionState
    betas: Tensor


class MotionSource(Protocol):
    """Where recorded motion comes from."""

    @property
    def clips(self) -> ClipTable:
        """The clips."""

    @property
    def body(self) -> HumorBody:
        """The body of the joints, without vertices."""

    @property
    def draws_shapes(self) -> bool:
        """Whether :meth:`recorded` draws shapes."""

    def recorded(self, generator: torch.Generator | None) -> RecordedStates:
        """All states; shapes are drawn from ``generator`` where the clips have none of their own.

        Args:
            generator: None keeps the default shape.
        """


class MocapMotions:
    """The clips of one split of the free data set (``data/mocap/DATASET.md``).

    Args:
        library: rotations, root positions, names.
        contacts: (N, 9) labels 0 or 1.
        flat: (C,) whether a clip's floor is flat.
        body: any body; its vertices are not used.
        config: how clips are weighted and shapes drawn.

    Raises:
        ValueError: the labels do not fit the library, or a clip has less than 4 frames.
    """

    def __init__(
        self,
        library: MocapLibrary,
        contacts: Tensor,
        flat: Tensor,
        body: HumorBody,
        config: HumorDataConfig,
    ) -> None:
        frames = len(library.root_position)
        if contacts.shape != (frames, NUM_CONTACTS) or flat.shape != (library.n_clips,):
            raise ValueError(
                f"contacts and flat must have shapes ({frames}, {NUM_CONTACTS}) and "
                f"({library.n_clips},), got {tuple(contacts.shape)} and {tuple(flat.shape)}"
            )
        # Central differences lose both end frames, and a transition needs two states.
        if int(library.length.min()) < 4:
            raise ValueError("every clip must have at least 4 frames")
        self._rotations = library.rotations_6d[:, :NUM_JOINTS]
        self._root = library.root_position @ torch.tensor(ZUP_TO_YDOWN)
        self._contacts = contacts.float()
        self._recorded_starts, self._recorded_lengths = library.start, library.length
        # Clips that are played fast are shorter; all have the length of the fastest.
        self._lengths = (library.length.double() / config.fastest).long().clamp_min(4)
        self._starts = self._lengths.cumsum(0) - self._lengths
        self._config = config
        self.body = body.with_vertices(())
        self.draws_shapes = config.betas_std > 0 or config.fastest > 1 or config.other_arms > 0
        weighting = DataConfig(
            idle_share=config.idle_share,
            category_exponent=config.category_exponent,
            category_boost=dict(config.category_boost),
        )
        inner = self._lengths - 2
        self.clips = ClipTable(
            start=inner.cumsum(0) - inner,
            length=inner,
            weights=library.clip_weights(weighting),
            flat=flat.bool(),
            names=library.names,
            categories=library.categories,
        )

    @classmethod
    def load(
        cls, folder: str | Path, split: str, body: HumorBody, config: HumorDataConfig
    ) -> MocapMotions:
        """Read the shards ``{split}_*.npz`` of a folder and its ``index.csv``.

        Raises:
            FileNotFoundError: there is no shard of that split.
            ValueError: a shard lacks an array.
        """
        library = MocapLibrary.load(folder, split)
        labels = []
        for path in sorted(Path(folder).glob(f"{split}_*.npz")):
            with np.load(path, allow_pickle=False) as shard:
                if "contacts" not in shard.files:
                    raise ValueError(f"{path} lacks the array 'contacts' (N, {NUM_CONTACTS})")
                labels.append(torch.from_numpy(shard["contacts"].astype(np.float32)))
        flat = _flat_floor(Path(folder) / "index.csv", library.names)
        return cls(library, torch.cat(labels), flat, body, config)

    def recorded(self, generator: torch.Generator | None) -> RecordedStates:
        """See :class:`MotionSource`; steps grow with the drawn legs and feet keep the floor."""
        betas = torch.zeros(len(self._starts), self.body.num_betas)
        if generator is not None and self.draws_shapes:
            limit = self._config.betas_limit
            drawn = self._config.betas_std * torch.randn(betas.shape, generator=generator)
            if self._config.distinct_shapes:
                few = (len(betas),), self._config.distinct_shapes
                drawn = drawn[torch.randint(min(few[1], len(betas)), few[0], generator=generator)]
            kept = torch.rand(len(betas), generator=generator) < self._config.default_shape_share
            betas = torch.where(kept[:, None], betas, drawn.clamp(-limit, limit))
        clip = torch.repeat_interleave(torch.arange(len(betas)), self._lengths)
        rotations, position, contacts = self._played(clip, generator)
        ratio = _leg_length(self.body, betas) / _leg_length(self.body, torch.zeros_like(betas[:1]))
        root = position * ratio[clip, None]
        if bool((betas != 0).any()):
            root[:, 2] += self._floor_shift(betas, clip, root, position, rotations, contacts)[clip]
        trans = root - self.body.rest_joints(betas)[clip, 0]
        joints = self._joints(betas[clip], trans, rotations)
        states = differentiated(trans, rotations, joints, contacts)
        inner = torch.ones(len(clip), dtype=torch.bool)
        inner[self._starts] = False
        inner[self._starts + self._lengths - 1] = False
        return RecordedStates(states.map(lambda part: part[inner]), betas)

    def _played(
        self, clip: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations (N, 22, 3, 3), root positions (N, 3) and contacts (N, 9) as they are played.

        Args:
            clip: (N) clip of each row.
            generator: of speeds and arms; None plays as recorded.
        """
        config, count = self._config, len(self._lengths)
        row = torch.arange(len(clip)) - self._starts[clip]
        speed, lead = torch.ones(count), torch.zeros(count)
        arms = torch.arange(count)
        if generator is not None:
            drawn = torch.rand(3, count, generator=generator)
            speed = config.slowest + (config.fastest - config.slowest) * drawn[0]
            spare = self._recorded_lengths - 1 - speed * (self._lengths - 1)
            speed = torch.where(spare < 0, 1.0, speed)  # clips of a few frames
            lead = drawn[1] * spare.clamp_min(0)
            other = torch.randperm(count, generator=generator)
            arms = torch.where(drawn[2] < config.other_arms, other, arms)
        time = (lead[clip] + row * speed[clip]).double()
        last = self._recorded_lengths[clip] - 1
        rotations = self._between(self._rotations, clip, time.clamp(max=last))
        if bool((arms != torch.arange(count)).any()):
            # To and fro, where the other clip is shorter.
            period = (self._recorded_lengths[arms] - 1)[clip].double()
            there = (time + 7.0 * clip) % (2 * period)
            there = torch.minimum(there, 2 * period - there)
            taken = self._between(self._rotations[:, _ARMS], arms[clip], there)
            rotations[:, _ARMS] = torch.where(
                (arms[clip] != clip)[:, None, None], taken, rotations[:, _ARMS]
            )
        matrices = rotation_6d_to_matrix(rotations)
        matrices[:, 0] = torch.tensor(ZUP_TO_YDOWN).T @ matrices[:, 0]
        nearest = self._recorded_starts[clip] + torch.minimum(time.round().long(), last)
        position = self._between(self._root, clip, time.clamp(max=last))
        return matrices, position, self._contacts[nearest]

    def _between(self, values: Tensor, clip: Tensor, time: Tensor) -> Tensor:
        """Values at times (N) of clips (N), between the frames."""
        first = time.floor().long()
        share = (time - first).float().reshape(-1, *[1] * (values.dim() - 1))
        start = self._recorded_starts[clip]
        second = torch.minimum(first + 1, self._recorded_lengths[clip] - 1)
        # Exactly the recorded values where the share is zero.
        return torch.lerp(values[start + first], values[start + second], share)

    def _joints(self, betas: Tensor, trans: Tensor, rotations: Tensor) -> Tensor:
        """(N, 22, 3) joints of shapes (N, S)."""
        parts = [
            self.body.joints(betas[k], rotations[k, None], trans[k, None])[:, 0]
            for k in (slice(i, i + _CHUNK) for i in range(0, len(trans), _CHUNK))
        ]
        return torch.cat(parts)

    def _floor_shift(
        self,
        betas: Tensor,
        clip: Tensor,
        root: Tensor,
        position: Tensor,
        rotations: Tensor,
        contacts: Tensor,
    ) -> Tensor:
        """(C,) what brings resting feet back to the height that they have in the default shape."""
        none = torch.zeros_like(betas[:1])
        rest = self.body.rest_joints(torch.cat((none, betas)))[:, 0]
        feet = _FEET
        own = self._joints(betas[clip], root - rest[1:][clip], rotations)
        default = self._joints(none.expand(len(clip), -1), position - rest[0], rotations)
        heights = own[:, feet, 2] - default[:, feet, 2]
        resting = contacts[:, list(FEET_CONTACTS)]
        summed = torch.zeros(len(betas), 2).index_add_(
            0, clip, torch.stack(((heights * resting).sum(1), resting.sum(1)), dim=1)
        )
        return -summed[:, 0] / summed[:, 1].clamp_min(1.0)


def differentiated(
    trans: Tensor, rotations: Tensor, joints: Tensor, contacts: Tensor, rate: float = FRAME_RATE
) -> MotionState:
    """States with central differences for velocities; those of the two end rows are zero.

    Args:
        trans: (N, 3).
        rotations: (N, 22, 3, 3), root first.
        joints: (N, 22, 3).
        contacts: (N, 9) labels.
        rate: rows a second.
    """

    def rates(values: Tensor) -> Tensor:
        out = torch.zeros_like(values)
        out[1:-1] = (values[2:] - values[:-2]) * (0.5 * rate)
        return out

    root = rotations[:, 0]
    skew = rates(root) @ root.transpose(-1, -2)
    turning = 0.5 * torch.stack(
        (
            skew[:, 2, 1] - skew[:, 1, 2],
            skew[:, 0, 2] - skew[:, 2, 0],
            skew[:, 1, 0] - skew[:, 0, 1],
        ),
        dim=-1,
    )
    return MotionState(
        trans=trans,
        trans_vel=rates(trans),
        root_orient=root,
        root_orient_vel=turning,
        pose_body=rotations[:, 1:],
        joints=joints,
        joints_vel=rates(joints),
        contacts=contacts,
    )


def _leg_length(body: HumorBody, betas: Tensor) -> Tensor:
    """(C,) both thighs and shins of shapes (C, S)."""
    joints = body.rest_joints(betas)
    bones = [(joints[:, a] - joints[:, b]).norm(dim=-1) for a, b in _LEG_BONES]
    return torch.stack(bones).sum(dim=0)


def _flat_floor(path: Path, names: Sequence[str]) -> Tensor:
    """(C,) column ``flat_floor`` of the index; clips that it does not list count as flat."""
    if not path.is_file():
        return torch.ones(len(names), dtype=torch.bool)
    with path.open(newline="", encoding="utf-8") as file:
        known = {row["name"]: row.get("flat_floor", "1") for row in csv.DictReader(file)}
    return torch.tensor([known.get(name, "1") != "0" for name in names])
