"""Weights and schedules of the published three-stage fit.

Rempe et al., "HuMoR", ICCV 2021, section 4.3 and supplement; values of the published
configurations. Stage 1 takes its data terms only, so weights that its published configuration
lists for other terms and that have no effect there are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from humor_ros.field_checks import (
    AT_LEAST_0,
    AT_LEAST_1,
    POSITIVE,
    Rule,
    at_least,
    check_fields,
)

__all__ = ["PRESETS", "FitConfig", "StageWeights", "preset"]

_THREE_COUNTS = Rule(
    "three numbers, each at least 0",
    lambda counts: len(counts) == 3 and all(count >= 0 for count in counts),
)


@dataclass(frozen=True)
class StageWeights:
    """Weight of every energy in one stage; 0 leaves an energy out.

    Attributes:
        joints2d: image key-points, per squared pixel.
        joints3d: 22 joints, per squared metre, as all the following unless stated.
        verts3d: 43 surface vertices.
        points3d: points of a depth camera.
        pose_prior: squared length of the pose latents.
        shape_prior: squared length of betas, for each frame.
        joints3d_smooth: displacement of joints from frame to frame.
        motion_prior: negative log-density of the transitions.
        init_motion_prior: negative log-density of the initial state.
        joint_consistency: predicted joints against those of the posed body.
        bone_length: change of predicted bone lengths.
        contact_vel: displacement of joints in contact.
        contact_height: height of joints in contact, per metre.
        floor_reg: ground against the observed one, for each frame.
        overlap: agreement of overlapping windows.
    """

    joints2d: float = 0.0
    joints3d: float = 0.0
    verts3d: float = 0.0
    points3d: float = 0.0
    pose_prior: float = 0.0
    shape_prior: float = 0.0
    joints3d_smooth: float = 0.0
    motion_prior: float = 0.0
    init_motion_prior: float = 0.0
    joint_consistency: float = 0.0
    bone_length: float = 0.0
    contact_vel: float = 0.0
    contact_height: float = 0.0
    floor_reg: float = 0.0
    overlap: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_0, *(entry.name for entry in fields(self)))


@dataclass(frozen=True)
class FitConfig:
    """The whole fit.

    Attributes:
        stage1: root alone.
        stage2: root, pose and shape of every frame.
        stage3: initial state, transitions, shape and ground.
        iterations: outer iterations of the three stages.
        first_frames: frames of the first phase of stage 3.
        first_until: outer iteration of stage 3 at which the first phase ends.
        frozen_until: outer iteration at which the initial state is set free again.
        inner_iterations: iterations of L-BFGS within an outer one.
        learning_rate: first step length of L-BFGS.
        window: frames of a window of a long recording; None fits it whole.
        overlap_frames: least frames that neighbouring windows share.
        canonical_start: whether a world without a camera may be any, and each initial state is
            brought to its canonical frame; as published that world is the first frame's own.

    Raises:
        ValueError: on construction, naming the value.
    """

    stage1: StageWeights = field(default_factory=StageWeights)
    stage2: StageWeights = field(default_factory=StageWeights)
    stage3: StageWeights = field(default_factory=StageWeights)
    iterations: tuple[int, int, int] = (30, 70, 70)
    first_frames: int = 15
    first_until: int = 30
    frozen_until: int = 55
    inner_iterations: int = 20
    learning_rate: float = 1.0
    window: int | None = None
    overlap_frames: int = 10
    canonical_start: bool = False

    def __post_init__(self) -> None:
        check_fields(self, _THREE_COUNTS, "iterations")
        if not 0 <= self.first_until <= self.frozen_until:
            raise ValueError(
                "first_until and frozen_until must be in order, got "
                f"{self.first_until} and {self.frozen_until}"
            )
        check_fields(self, at_least(2), "first_frames")
        check_fields(self, AT_LEAST_1, "inner_iterations", "overlap_frames")
        check_fields(self, POSITIVE, "learning_rate")
        if self.window is not None and self.window <= self.overlap_frames:
            raise ValueError(
                f"window must be longer than overlap_frames ({self.overlap_frames}), got "
                f"{self.window}"
            )

    @property
    def couples_windows(self) -> bool:
        """Whether overlapping windows are held together in any stage."""
        return any(stage.overlap > 0 for stage in (self.stage1, self.stage2, self.stage3))


def _video(
    *,
    motion: float = 0.075,
    pose: float = 0.04,
    shape: float = 0.05,
    contact_vel: float = 100.0,
    floor: float = 0.167,
    depth: bool = False,
    overlap: float = 0.0,
    iterations: tuple[int, int, int] = (30, 80, 70),
) -> FitConfig:
    """Fits to a camera's images differ in few numbers."""
    data = StageWeights(
        joints2d=0.001, points3d=1.0 if depth else 0.0, shape_prior=shape, overlap=overlap
    )
    return FitConfig(
        stage1=data,
        stage2=replace(data, pose_prior=pose, joints3d_smooth=100.0),
        stage3=replace(
            data,
            motion_prior=motion,
            init_motion_prior=motion,
            joint_consistency=100.0,
            bone_length=2000.0,
            contact_vel=contact_vel,
            contact_height=10.0,
            floor_reg=floor,
        ),
        iterations=iterations,
    )


def _mocap(data: StageWeights, *, smooth: float, motion: float) -> FitConfig:
    """Fits to points in a world with its ground at z = 0."""
    return FitConfig(
        stage1=data,
        stage2=replace(data, pose_prior=2e-4, joints3d_smooth=smooth),
        stage3=replace(
            data,
            motion_prior=motion,
            init_motion_prior=motion,
            joint_consistency=1.0,
            bone_length=10.0,
            contact_vel=1.0,
            contact_height=1.0,
        ),
    )


#: The published configurations by name.
PRESETS: dict[str, FitConfig] = {
    "amass_keypts": _mocap(StageWeights(verts3d=1.0, shape_prior=1.67e-4), smooth=0.1, motion=5e-4),
    "amass_joints": _mocap(
        StageWeights(joints3d=1.0, shape_prior=1.67e-4), smooth=10.0, motion=1e-3
    ),
    "imapper": _video(contact_vel=0.0),
    "prox_rgb": _video(motion=0.05),
    "prox_rgbd": _video(pose=0.1, shape=0.034, floor=1.0, depth=True, iterations=(30, 70, 70)),
    "rgb": _video(),
    "rgb_windows": replace(_video(overlap=200.0), window=60),
}


def preset(name: str) -> FitConfig:
    """One of the published configurations.

    Raises:
        ValueError: there is no such name.
    """
    if name not in PRESETS:
        raise ValueError(f"no fit configuration {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]
