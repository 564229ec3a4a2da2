"""The tracker's stream on synthetic projections of motion capture, scored clip by clip.

Cameras, IMU and detector are simulated (``mocap_camera``, ``rig_imu``, ``mocap_detector``); what
runs on them is what runs in the tracker: :class:`~humor_ros.inertial.CameraMotionEstimator` and
:class:`~humor_ros.wham.stream.WhamStream`, frame by frame, causally, at 30 fps. Clips are people
of one stream, as many as a group has, so that a whole split takes a minute or two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from humor_ros.body import BodyModel
from humor_ros.evaluation.lag import best_lag
from humor_ros.evaluation.mocap_camera import CAMERA_KINDS, GroupCamera, film_group
from humor_ros.evaluation.mocap_detector import NOISE_KINDS, detect_keypoints, noise_config
from humor_ros.evaluation.mocap_motion import MocapPiece, TruePerson, cut_clips, pose_person
from humor_ros.evaluation.motion_scores import MotionSequence, score_motion
from humor_ros.evaluation.rig_imu import ImuErrors, RigImu
from humor_ros.inertial import CameraMotionEstimator, InertialConfig
from humor_ros.training.mocap import MOCAP_FPS, MocapLibrary
from humor_ros.types import Array, CameraMotion, Track, TrackingState
from humor_ros.wham.initialisation import neutral_rotations
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.person import PersonMotion
from humor_ros.wham.stream import StreamConfig, WhamStream

__all__ = ["MocapSettings", "PieceScores", "evaluate_mocap", "every_nth_clip"]
__all__ += ["t_pose_scores"]

_LIMBS = ((1, 4), (4, 7), (2, 5), (5, 8), (16, 18), (18, 20), (17, 19), (19, 21))
_FEWEST_SEEN = 3
#: Mean speed of the hips-centred joints from which on a lag shows, m/s.
_LAG_SPEED = 0.25


@dataclass(frozen=True)
class MocapSettings:
    """What is simulated.

    Attributes:
        camera: "static" or "moving".
        noise: of the detector, one of ``NOISE_KINDS``.
        gyro_bias_dps: length of the gyroscope's constant error, degrees/s; direction random.
        gyro_noise_dps_sqrthz: its white noise, degrees/s/sqrt(Hz).
        imu: False leaves the IMU out: the camera then counts as static and level.
        seconds: clips are cut to equal parts no longer than this.
        group_size: people streamed together.
        mesh_every: PVE is taken at every so many frames (the mesh is the dearest part).
        seed: of shapes, cameras, IMU and detector.
    """

    camera: str = "static"
    noise: str = "movenet"
    gyro_bias_dps: float = 0.1
    gyro_noise_dps_sqrthz: float = 0.01
    imu: bool = True
    seconds: float = 20.0
    group_size: int = 8
    mesh_every: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        if self.camera not in CAMERA_KINDS:
            raise ValueError(f"camera: {self.camera!r} is not one of {', '.join(CAMERA_KINDS)}")
        if self.noise not in NOISE_KINDS:
            raise ValueError(f"noise: {self.noise!r} is not one of {', '.join(NOISE_KINDS)}")
        for name in ("gyro_bias_dps", "gyro_noise_dps_sqrthz"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("group_size", "mesh_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.seconds >= 0.5:
            raise ValueError(f"seconds must be at least 0.5, got {self.seconds}")


@dataclass(frozen=True, eq=False)
class PieceScores:
    """Scores of one piece.

    Attributes:
        piece: which.
        scores: values by name, see :func:`~humor_ros.evaluation.motion_scores.score_motion`;
            beside them ``hips_mm`` and ``depth_percent`` (camera-frame place of the mid-hip),
            ``gravity_deg`` (the camera's tilt), ``bone_std_mm`` (limbs over time),
            ``lag_frames`` (where there is motion to be late for) and ``true_jitter_10ms3``.
    """

    piece: MocapPiece
    scores: dict[str, Array]


@dataclass(frozen=True, eq=False)
class _Group:
    """People before one camera, with what is measured of them."""

    people: tuple[TruePerson, ...]
    camera: GroupCamera
    keypoints: tuple[Array, ...]
    imu: RigImu | None


def evaluate_mocap(
    library: MocapLibrary,
    network: WhamNetwork,
    body: BodyModel,
    settings: MocapSettings,
    progress: Callable[[int, int], None] | None = None,
    stream: StreamConfig | None = None,
) -> list[PieceScores]:
    """Stream all clips of a library and score them.

    Args:
        library: of one split.
        network: weights; see :func:`~humor_ros.wham.models.load_models`.
        body: its body; the truth is posed with it, too.
        settings: what is simulated.
        progress: told the frames done and all frames.
        stream: how the world is made; by default a static camera is told to be fixed.

    Returns:
        One result for each piece, in the order of the library.
    """
    pieces = cut_clips(library, settings.seconds)
    config = stream or StreamConfig(camera_fixed=settings.camera == "static")
    total, done = sum(piece.frames for piece in pieces), 0
    results: dict[MocapPiece, PieceScores] = {}
    for group in _groups(library, pieces, body, settings):
        motions, cameras = _stream(group, network, body, config)
        for index, person in enumerate(group.people):
            results[person.piece] = _score(
                group, index, motions[index], cameras, body, settings.mesh_every
            )
            done += person.piece.frames
            if progress is not None:
                progress(done, total)
    return [results[piece] for piece in pieces]


def every_nth_clip(library: MocapLibrary, count: int) -> MocapLibrary:
    """A library of ``count`` clips (or all, if there are fewer), spread evenly."""
    chosen = np.unique(np.linspace(0, library.n_clips - 1, count).round().astype(int)).tolist()
    rows = [
        np.arange(int(library.start[i]), int(library.start[i] + library.length[i])) for i in chosen
    ]
    picked = torch.as_tensor(np.concatenate(rows))
    pointer = torch.as_tensor(np.cumsum([0, *(len(each) for each in rows)]))
    return MocapLibrary(
        library.rotations_6d[picked],
        library.root_position[picked],
        pointer,
        [library.names[i] for i in chosen],
        [library.categories[i] for i in chosen],
    )


def t_pose_scores(
    library: MocapLibrary, body: BodyModel, settings: MocapSettings
) -> list[PieceScores]:
    """Scores of somebody who answers "T-pose, facing the camera, usual shape" to everything."""
    pieces = cut_clips(library, settings.seconds)
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[:, 0] = neutral_rotations(1)[:, 0]
    with torch.no_grad():
        answer = body(torch.zeros(1, 10), rotations, vertices=True)
    results: dict[MocapPiece, PieceScores] = {}
    for group in _groups(library, pieces, body, settings):
        for index, person in enumerate(group.people):
            truth = _truth(group, index, body, settings.mesh_every)
            frames, meshes = person.piece.frames, len(_mesh_frames(person, settings.mesh_every))
            prediction = MotionSequence(
                joints=np.repeat(_array(answer.joints), frames, axis=0),
                coco17=np.repeat(_array(answer.coco17), frames, axis=0),
                vertices=None
                if answer.vertices is None
                else np.repeat(_array(answer.vertices), meshes, axis=0),
                vertex_frames=truth.vertex_frames,
            )
            results[person.piece] = PieceScores(person.piece, score_motion(prediction, truth))
    return [results[piece] for piece in pieces]


def _groups(
    library: MocapLibrary, pieces: Sequence[MocapPiece], body: BodyModel, settings: MocapSettings
) -> Iterator[_Group]:
    """Pieces of similar lengths together, longest first; the same for the same seed."""
    order = sorted(pieces, key=lambda piece: (-piece.frames, piece.start))
    noise = noise_config(settings.noise)
    for number, first in enumerate(range(0, len(order), settings.group_size)):
        random = np.random.default_rng((settings.seed, number))
        members = order[first : first + settings.group_size]
        people = tuple(pose_person(library, piece, body, random) for piece in members)
        camera = film_group(people, settings.camera, random)
        generator = torch.Generator().manual_seed(int(random.integers(2**31)))
        keypoints = tuple(
            detect_keypoints(camera.in_camera(i, p.coco17), camera.camera, noise, generator)
            for i, p in enumerate(people)
        )
        imu = None
        if settings.imu:
            errors = ImuErrors(
                gyroscope_bias=math.radians(settings.gyro_bias_dps),
                gyroscope_noise_density=math.radians(settings.gyro_noise_dps_sqrthz),
            )
            imu = RigImu(camera.way, errors, members[0].frames / MOCAP_FPS, random)
        yield _Group(people, camera, keypoints, imu)


def _stream(
    group: _Group, network: WhamNetwork, body: BodyModel, config: StreamConfig
) -> tuple[list[list[PersonMotion]], list[CameraMotion]]:
    """What the tracker answers for each person and frame, and the camera's motion."""
    stream = WhamStream(network, body, config)
    inertial = CameraMotionEstimator(
        InertialConfig(
            rotation_camera_imu=None if group.imu is None else group.imu.told_rotation_camera_imu
        )
    )
    samples = [] if group.imu is None else group.imu.samples
    taken = 0
    motions: list[list[PersonMotion]] = [[] for _ in group.people]
    cameras = []
    for frame in range(max(person.piece.frames for person in group.people)):
        stamp_s = frame / MOCAP_FPS
        while taken < len(samples) and samples[taken].stamp_s <= stamp_s:
            inertial.add_imu(samples[taken])
            taken += 1
        cameras.append(inertial.motion_at(stamp_s))
        present = [i for i, p in enumerate(group.people) if frame < p.piece.frames]
        tracks = [_track(i, group.keypoints[i][frame], stamp_s) for i in present]
        answers = stream.step(tracks, cameras[-1], group.camera.camera)
        for i, answer in zip(present, answers, strict=True):
            motions[i].append(answer)
    return motions, cameras


def _track(person: int, keypoints: Array, stamp_s: float) -> Track:
    seen = keypoints[:, 2] > 0.0
    measured = int(seen.sum()) >= _FEWEST_SEEN
    points = keypoints[seen, :2] if measured else keypoints[:, :2]
    return Track(
        track_id=person + 1,
        state=TrackingState.TRACKED if measured else TrackingState.OCCLUDED,
        keypoints=keypoints,
        box_xyxy=np.concatenate([points.min(axis=0), points.max(axis=0)]),
        age_s=stamp_s,
        unseen_s=0.0,
        score=float(keypoints[:, 2].mean()),
    )


def _score(
    group: _Group,
    index: int,
    motions: Sequence[PersonMotion],
    cameras: Sequence[CameraMotion],
    body: BodyModel,
    mesh_every: int,
) -> PieceScores:
    person = group.people[index]
    truth = _truth(group, index, body, mesh_every)
    frames = _mesh_frames(person, mesh_every)
    joints = np.stack([motion.joints_camera for motion in motions])
    meshes = _meshes(
        body,
        np.stack([motions[frame].betas for frame in frames]),
        np.stack([motions[frame].rotations_camera for frame in frames]),
        joints[frames],
    )
    prediction = MotionSequence(
        joints=joints,
        coco17=np.stack([motion.coco17_camera for motion in motions]),
        vertices=meshes,
        vertex_frames=frames,
        joints_world=np.stack([motion.joints_world for motion in motions]),
        root_rotation_world=np.stack([motion.root_orientation_world for motion in motions]),
        feet_world=np.stack([motion.contact_positions_world for motion in motions]),
        contacts=np.stack([motion.contacts for motion in motions]),
    )
    scores = score_motion(prediction, truth, float(MOCAP_FPS))
    scores |= _camera_scores(prediction, truth)
    true_up = group.camera.rotation_world_camera[: len(motions), 2]
    up = np.stack([camera.rotation_world_camera[2] for camera in cameras[: len(motions)]])
    scores["gravity_deg"] = np.degrees(np.arccos(np.clip((up * true_up).sum(axis=1), -1, 1)))
    lengths = np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in _LIMBS])
    scores["bone_std_mm"] = lengths.std(axis=1) * 1000.0
    scores |= _lag(joints, truth.joints)
    scores["true_jitter_10ms3"] = score_motion(truth, truth)["jitter_10ms3"]
    return PieceScores(person.piece, scores)


def _camera_scores(prediction: MotionSequence, truth: MotionSequence) -> dict[str, Array]:
    if prediction.coco17 is None or truth.coco17 is None:
        return {}
    ours, true = (x[:, 11:13].mean(axis=1) for x in (prediction.coco17, truth.coco17))
    return {
        "hips_mm": np.linalg.norm(ours - true, axis=1) * 1000.0,
        "depth_percent": np.abs(ours[:, 2] / np.maximum(true[:, 2], 0.3) - 1.0) * 100.0,
    }


def _lag(joints: Array, true_joints: Array) -> dict[str, Array]:
    """Lag of the pose, once for each frame so that long pieces count more; none at rest."""
    ours, true = (x - x[:, 1:3].mean(axis=1, keepdims=True) for x in (joints, true_joints))
    speed = np.linalg.norm(np.diff(true, axis=0), axis=-1).mean() * MOCAP_FPS
    if speed < _LAG_SPEED:
        return {}
    lag = best_lag(ours, true, np.ones(len(ours), dtype=bool))
    return {"lag_frames": np.full(len(ours), lag)}


def _truth(group: _Group, index: int, body: BodyModel, mesh_every: int) -> MotionSequence:
    person = group.people[index]
    frames = _mesh_frames(person, mesh_every)
    joints = group.camera.in_camera(index, person.joints)
    rotations = person.rotations.copy()
    to_camera = np.swapaxes(group.camera.rotation_world_camera[: len(rotations)], 1, 2)
    rotations[:, 0] = to_camera @ rotations[:, 0]
    betas = np.repeat(person.betas[None], len(frames), axis=0)
    return MotionSequence(
        joints=joints,
        coco17=group.camera.in_camera(index, person.coco17),
        vertices=_meshes(body, betas, rotations[frames], joints[frames]),
        vertex_frames=frames,
        joints_world=person.joints,
        root_rotation_world=person.rotations[:, 0],
        feet_world=person.feet,
        contacts=person.contacts,
    )


def _mesh_frames(person: TruePerson, every: int) -> NDArray[np.int64]:
    return np.arange(0, person.piece.frames, every, dtype=np.int64)


@torch.no_grad()
def _meshes(body: BodyModel, betas: Array, rotations: Array, joints: Array) -> Array:
    """(K, V, 3) surfaces in the axes and with the origin of ``joints`` (K, 24, 3)."""
    output = body(
        torch.as_tensor(betas, dtype=torch.float32),
        torch.as_tensor(rotations, dtype=torch.float32),
        vertices=True,
    )
    if output.vertices is None:
        raise ValueError("body: gave no vertices")
    return _array(output.vertices - output.joints[:, :1]) + joints[:, :1]


def _array(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.double().numpy())
