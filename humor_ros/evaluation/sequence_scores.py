"""The published benchmarks' scores of one sequence (spec of WHAM, section 7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humor_ros.body import BodyModel
from humor_ros.evaluation.metrics import SMPL_HIPS, align_by_pelvis, mpjpe_mm
from humor_ros.evaluation.motion_scores import MotionSequence, score_motion
from humor_ros.evaluation.sequence_motion import SequenceMotion
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.types import Array

__all__ = ["BENCHMARKS", "Benchmark", "score_sequence", "true_motion"]

_CHUNK_FRAMES = 128
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
        return _COMMON14_HIPS if self.common14 else SMPL_HIPS


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
    pair = _joined(ours, said, benchmark), _joined(theirs, true, benchmark)
    # As published, however short the way is.
    scores = score_motion(*pair, fps, shortest_path_m=0.0)
    if "accel_ms2" in scores:  # as published, the first and the last value are dropped
        scores["accel_ms2"] = scores["accel_ms2"][1:-1]
    if surface:
        scores["pve_mm"] = torch.cat(surface).numpy()
    return {name: scores[name] for name in benchmark.scores if name in scores}


#: Fields of :class:`MotionSequence` of some frames.
_Points = dict[str, Tensor]


def _joined(parts: list[_Points], motion: SequenceMotion, benchmark: Benchmark) -> MotionSequence:
    points = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
    if not benchmark.world:
        return MotionSequence(points["joints"], hips=benchmark.hips)
    root = motion.root_world.double().numpy()
    return MotionSequence(**points, root_rotation_world=root, hips=benchmark.hips)


def _pose(
    body: BodyModel,
    motion: SequenceMotion,
    frames: slice,
    benchmark: Benchmark,
    h36m: Array | None,
) -> tuple[_Points, Tensor]:
    """Points of some frames, metres, float64, and the vertices, pelvis-centred."""
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
    found = {
        "joints": scored,
        "joints_world": (joints - pelvis) @ turn.mT + place[:, None],
        "feet_world": (feet - pelvis) @ turn.mT + place[:, None],
        "way_world": place - pelvis[:, 0],  # SMPL's ``transl``
    }
    return found, align_by_pelvis(scored, vertices, benchmark.hips)
