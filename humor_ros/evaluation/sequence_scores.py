"""The published benchmarks' scores of one sequence (spec of WHAM, section 7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.evaluation.metrics import (
    acceleration_error_ms2,
    align_by_pelvis,
    chunked_world_mpjpe_mm,
    foot_sliding_mm,
    jitter_10ms3,
    mpjpe_mm,
    pa_mpjpe_mm,
    root_orientation_error_deg,
    root_translation_error_percent,
)
from humor_ros.evaluation.sequence_motion import SequenceMotion
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array

__all__ = ["BENCHMARKS", "Benchmark", "score_sequence", "true_motion"]

_CHUNK_FRAMES = 128
_SMPL_HIPS = (1, 2)
_COMMON14_HIPS = (2, 3)
#: SMPL's vertices at left toe, left heel, right toe, right heel, published for foot sliding.
_FOOT_VERTICES = (3216, 3387, 6617, 6787)
_SMPL_VERTICES = 6890
_CAMERA_SCORES = ("pa_mpjpe_mm", "mpjpe_mm", "pve_mm", "accel_ms2")
_WORLD_SCORES = (
    *("wa_mpjpe100_mm", "w_mpjpe100_mm", "rte_percent", "root_deg"),
    *("jitter_10ms3", "foot_sliding_mm"),
)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark scores.

    Attributes:
        title: for tables.
        split: that is scored; None: all.
        common14: the 14 common joints of the Human3.6M regressor; else SMPL's 24 joints.
        scores: names, in order.
    """

    title: str
    split: str | None
    common14: bool
    scores: tuple[str, ...]

    @property
    def world(self) -> bool:
        """Whether motion in the world is scored."""
        return "w_mpjpe100_mm" in self.scores

    @property
    def hips(self) -> tuple[int, int]:
        """Indices of the hips whose mean is the pelvis."""
        return _COMMON14_HIPS if self.common14 else _SMPL_HIPS


BENCHMARKS: dict[str, Benchmark] = {
    "3dpw": Benchmark("3DPW", "test", True, _CAMERA_SCORES),
    "emdb1": Benchmark("EMDB-1", None, False, _CAMERA_SCORES),
    "emdb2": Benchmark("EMDB-2", None, False, (*_CAMERA_SCORES, *_WORLD_SCORES)),
}


def true_motion(sequence: PersonSequence, *, world: bool) -> SequenceMotion:
    """The truth of a sequence in the form of what is said.

    Args:
        sequence: T frames.
        world: the motion in the world is needed; without it that part is the camera's.

    Raises:
        ValueError: a frame has no true pose, or no true place in the world.
    """
    if sequence.pose is None or sequence.betas is None or not sequence.has_smpl.all():
        raise ValueError(f"{sequence.name}: there are frames without a true pose; leave them out")
    rotations = torch.from_numpy(sequence.pose)
    root, pelvis = rotations[:, 0].double(), torch.zeros(len(sequence), 3, dtype=torch.float64)
    if world:
        camera, centre = sequence.rotation_world_camera, sequence.position_world_camera
        place = sequence.root_position
        if not sequence.has_trajectory.all() or camera is None or centre is None or place is None:
            raise ValueError(
                f"{sequence.name}: the true trajectory is not known; EMDB needs the SMPL bodies "
                "of its truth (--bodies)"
            )
        turn = torch.from_numpy(camera).double()
        root = turn @ root
        pelvis = (turn @ torch.from_numpy(place).double()[..., None])[..., 0]
        pelvis = pelvis + torch.from_numpy(centre).double()
    return SequenceMotion(
        rotations=rotations,
        betas=torch.from_numpy(sequence.betas),
        root_world=root,
        pelvis_world=pelvis,
        contacts=torch.from_numpy(sequence.contacts),
    )


def score_sequence(
    benchmark: Benchmark,
    said: SequenceMotion,
    true: SequenceMotion,
    body: BodyModel,
    truth_body: BodyModel,
    h36m: Array | None = None,
    fps: float = 30.0,
) -> dict[str, Array]:
    """Score the motion of one person over T frames.

    Args:
        benchmark: which scores.
        said: the prediction.
        true: of the same frames, see :func:`true_motion`.
        body: that the prediction is of.
        truth_body: that the truth is of. Where its mesh differs there is no PVE.
        h36m: (14, V) regressor of the common joints; None, or one that does not fit a body,
            takes the body's own.
        fps: frames a second.

    Returns:
        Values a frame (a triple of frames, a resting foot) by score.

    Raises:
        ValueError: the numbers of frames differ.
    """
    if len(said.rotations) != len(true.rotations):
        raise ValueError(f"{len(said.rotations)} frames were said, {len(true.rotations)} are true")
    ours: list[_Points] = []
    theirs: list[_Points] = []
    surface: list[Tensor] = []
    for start in range(0, len(said.rotations), _CHUNK_FRAMES):  # for the memory that meshes take
        frames = slice(start, start + _CHUNK_FRAMES)
        a, mesh_a = _pose(body, said, frames, benchmark, h36m)
        b, mesh_b = _pose(truth_body, true, frames, benchmark, h36m)
        ours.append(a)
        theirs.append(b)
        if mesh_a.shape == mesh_b.shape:
            surface.append(mpjpe_mm(mesh_a, mesh_b))
    prediction, target = _Points.cat(ours), _Points.cat(theirs)
    scores = {
        "pa_mpjpe_mm": pa_mpjpe_mm(prediction.scored, target.scored),
        "mpjpe_mm": mpjpe_mm(prediction.scored, target.scored),
        # As published, the first and the last value are dropped.
        "accel_ms2": acceleration_error_ms2(prediction.scored, target.scored, fps)[1:-1],
    }
    if surface:
        scores["pve_mm"] = torch.cat(surface)
    if benchmark.world:
        joints = prediction.joints_world, target.joints_world
        scores |= {
            "w_mpjpe100_mm": chunked_world_mpjpe_mm(*joints, whole=False),
            "wa_mpjpe100_mm": chunked_world_mpjpe_mm(*joints, whole=True),
            "rte_percent": root_translation_error_percent(prediction.transl, target.transl),
            "root_deg": root_orientation_error_deg(
                said.root_world.double(), true.root_world.double()
            ),
            "jitter_10ms3": jitter_10ms3(joints[0], fps),
            "foot_sliding_mm": foot_sliding_mm(prediction.feet_world, target.feet_world),
        }
    return {name: scores[name].numpy() for name in benchmark.scores if name in scores}


@dataclass(frozen=True)
class _Points:
    """What is scored of posed bodies, metres, float64.

    ``scored`` (T, J, 3) camera axes, pelvis-centred; ``joints_world`` (T, 24, 3), ``feet_world``
    (T, 4, 3), and SMPL's ``transl`` (T, 3), the pelvis less its place at rest, in the world.
    """

    scored: Tensor
    joints_world: Tensor
    feet_world: Tensor
    transl: Tensor

    @classmethod
    def cat(cls, parts: list[_Points]) -> _Points:
        return cls(
            torch.cat([part.scored for part in parts]),
            torch.cat([part.joints_world for part in parts]),
            torch.cat([part.feet_world for part in parts]),
            torch.cat([part.transl for part in parts]),
        )


def _pose(
    body: BodyModel,
    motion: SequenceMotion,
    frames: slice,
    benchmark: Benchmark,
    h36m: Array | None,
) -> tuple[_Points, Tensor]:
    """Points of some frames, and the vertices in camera axes, pelvis-centred."""
    rotations = motion.rotations[frames]
    with torch.inference_mode():
        points = body(motion.betas[frames], rotations, vertices=True)
    joints = points.joints.double()
    vertices = joints[:, :0] if points.vertices is None else points.vertices.double()
    scored = joints
    if benchmark.common14:
        fits = h36m is not None and h36m.shape[1] == vertices.shape[1]
        scored = points.keypoints31[:, 17:].double()
        if h36m is not None and fits:
            scored = torch.einsum("jv,tvc->tjc", torch.from_numpy(h36m), vertices)
    is_smpl = vertices.shape[1] == _SMPL_VERTICES
    feet = vertices[:, list(_FOOT_VERTICES)] if is_smpl else points.feet.double()
    pelvis = joints[:, :1]
    turn = motion.root_world[frames].double() @ rotations[:, 0].double().mT
    place = motion.pelvis_world[frames].double()
    found = _Points(
        scored=align_by_pelvis(scored, hips=benchmark.hips),
        joints_world=(joints - pelvis) @ turn.mT + place[:, None],
        feet_world=(feet - pelvis) @ turn.mT + place[:, None],
        transl=place - pelvis[:, 0],
    )
    return found, align_by_pelvis(scored, vertices, benchmark.hips)
