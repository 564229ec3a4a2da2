"""The objective on small bodies, its minimisation, the three stages and windows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from humor_cases import DTYPE, SMOOTH, make_body, make_mixture, make_network, noise
from hypothesis import given
from hypothesis import strategies as st

from humor_ros.body.model import packaged_body_path
from humor_ros.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from humor_ros.humor.body import HumorBody
from humor_ros.humor.fit import FitResult, MotionFitter
from humor_ros.humor.fit_config import PRESETS, FitConfig, StageWeights, preset
from humor_ros.humor.initialisation import initial_poses
from humor_ros.humor.lbfgs import minimise
from humor_ros.humor.motion import (
    MotionBuilder,
    angular_velocity,
    contact_confidence,
    velocity,
)
from humor_ros.humor.objective import FitObjective, ObjectiveValue
from humor_ros.humor.pose_prior import RotationVectorPose
from humor_ros.humor.state import CONTACT_JOINTS
from humor_ros.humor.variables import FitObservations, MotionVariables, PoseVariables
from humor_ros.humor.windows import fit_recording, window_starts

FAST = replace(
    PRESETS["amass_joints"],
    iterations=(3, 3, 4),
    first_frames=5,
    first_until=2,
    frozen_until=3,
    inner_iterations=8,
)


def motion_variables(batch: int, frames: int, *, floor: bool = False) -> MotionVariables:
    trans = noise(batch, 1, 3, scale=0.2) + torch.tensor([0.0, 0.0, 1.0], dtype=DTYPE)
    root = noise(batch, 1, 3, seed=2, scale=0.2) + torch.tensor([1.6, 0.0, 0.0], dtype=DTYPE)
    ground = None
    if floor:
        trans = trans + torch.tensor([0.0, 0.0, 3.0], dtype=DTYPE)
        root = root + torch.tensor([1.5, 0.0, 0.0], dtype=DTYPE)
        ground = torch.tensor([0.02, 0.9, -0.05], dtype=DTYPE).repeat(batch, 1)
    return MotionVariables(
        trans=trans,
        root_orient=root,
        latent_pose=noise(batch, 1, 63, seed=3, scale=0.5),
        betas=noise(batch, 6, scale=0.5),
        latent_motion=noise(batch, frames - 1, 5, seed=4, scale=0.5),
        trans_vel=noise(batch, 1, 3, seed=5, scale=0.3),
        joints_vel=noise(batch, 1, 22, 3, seed=6, scale=0.3),
        root_orient_vel=noise(batch, 1, 3, seed=7, scale=0.3),
        floor_plane=ground,
    )


@pytest.fixture(scope="module")
def builder() -> MotionBuilder:
    return MotionBuilder(make_network(SMOOTH), make_body(), RotationVectorPose())


def test_a_motion_is_the_same_wherever_in_the_world_it_starts(builder: MotionBuilder) -> None:
    anywhere = MotionBuilder(
        builder.network, builder.body, builder.pose_prior, canonical_start=True
    )
    here = motion_variables(1, 6)
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1.1], dtype=DTYPE))
    shift = torch.tensor([5.0, -3.0, 0.0], dtype=DTYPE)
    rest = builder.body.rest_joints(here.betas)[:, :1]
    there = replace(
        here,
        trans=(here.trans + rest) @ turn.T + shift - rest,
        root_orient=matrix_to_axis_angle(turn @ axis_angle_to_matrix(here.root_orient)),
        trans_vel=here.trans_vel @ turn.T,
        joints_vel=here.joints_vel @ turn.T,
        root_orient_vel=here.root_orient_vel @ turn.T,
    )
    first, second = anywhere.motion(here), anywhere.motion(there)
    # The guard of the canonical heading turns frames by up to 1.4e-3 (see the module ``frames``).
    torch.testing.assert_close(
        second.posed.joints, first.posed.joints @ turn.T + shift, atol=5e-3, rtol=0
    )
    torch.testing.assert_close(second.initial.joints, first.initial.joints, atol=5e-3, rtol=0)


@pytest.fixture(scope="module")
def observations(builder: MotionBuilder) -> FitObservations:
    joints = builder.motion(motion_variables(2, 9)).posed.joints + noise(2, 9, 22, 3, scale=0.01)
    joints[0, 3:5, 4:8] = torch.inf
    return FitObservations(joints3d=joints)


@pytest.fixture(scope="module")
def fitter() -> MotionFitter:
    return MotionFitter(
        make_network(SMOOTH), make_body(), RotationVectorPose(), make_mixture(), FAST
    )


@pytest.fixture(scope="module")
def fit(fitter: MotionFitter, observations: FitObservations) -> FitResult:
    return fitter.fit(observations)


def people(value: MotionVariables, index: int) -> MotionVariables:
    return MotionVariables(**{k: t[index : index + 1] for k, t in value.tensors().items()})


@pytest.mark.parametrize("floor", [False, True])
def test_a_batch_of_three_equals_three_alone(builder: MotionBuilder, floor: bool) -> None:
    variables = motion_variables(3, 5, floor=floor)
    together = builder.motion(variables)
    for index in range(3):
        alone = builder.motion(people(variables, index))
        torch.testing.assert_close(alone.observed.joints[0], together.observed.joints[index])
        torch.testing.assert_close(alone.predicted_joints[0], together.predicted_joints[index])


def test_moving_the_body_equals_posing_it_in_the_camera(builder: MotionBuilder) -> None:
    variables = motion_variables(2, 5, floor=True)
    exact = builder.motion(variables)
    rounded = MotionBuilder(
        builder.network, builder.body, builder.pose_prior, published_rounding=True
    ).motion(variables)
    torch.testing.assert_close(
        exact.observed.vertices, rounded.observed.vertices, rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        exact.observed.joints[:, 0], rounded.observed.joints[:, 0], rtol=0, atol=1e-6
    )


def test_an_upright_body_in_the_t_pose_has_finite_gradients(builder: MotionBuilder) -> None:
    variables = motion_variables(3, 4, floor=True)
    tensors = {name: torch.zeros_like(value) for name, value in variables.tensors().items()}
    tensors["trans"][..., 2] = 3.0
    tensors["root_orient"][..., 0] = torch.pi
    tensors["floor_plane"][..., 1] = 0.9
    leaves = {name: value.requires_grad_() for name, value in tensors.items()}
    objective = FitObjective(
        builder.network,
        builder.body,
        builder.pose_prior,
        make_mixture(),
        FitObservations(
            joints3d=noise(3, 4, 22, 3),
            floor_plane=torch.tensor([[0.0, -1.0, 0.0, -0.9]], dtype=DTYPE).repeat(3, 1),
        ),
    )
    weights = replace(PRESETS["rgb"].stage3, joints3d=1.0)
    value = objective.motion(MotionVariables(**leaves), weights)
    gradients = torch.autograd.grad(value.total, list(leaves.values()))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_the_gradient_is_that_of_the_value(
    builder: MotionBuilder, observations: FitObservations
) -> None:
    objective = FitObjective(
        builder.network, builder.body, builder.pose_prior, make_mixture(), observations
    )
    variables = motion_variables(2, 9)
    leaves = {k: t.clone().requires_grad_() for k, t in variables.tensors().items()}
    weights = PRESETS["amass_joints"].stage3
    value = objective.motion(MotionVariables(**leaves), weights)
    gradients = torch.autograd.grad(value.total, list(leaves.values()))
    step = 1e-6
    way = {k: noise(*t.shape, seed=11) for k, t in variables.tensors().items()}

    def moved(factor: float) -> float:
        values = {k: t + factor * way[k] for k, t in variables.tensors().items()}
        with torch.no_grad():
            return float(objective.motion(MotionVariables(**values), weights).total)

    numeric = (moved(step) - moved(-step)) / (2 * step)
    analytic = sum(float((g * way[k]).sum()) for k, g in zip(leaves, gradients, strict=True))
    assert analytic == pytest.approx(numeric, rel=1e-5)


def test_motion_energies_need_their_mixture(
    builder: MotionBuilder, observations: FitObservations
) -> None:
    objective = FitObjective(builder.network, builder.body, builder.pose_prior, None, observations)
    with pytest.raises(ValueError, match="mixture"):
        objective.motion(motion_variables(2, 9), FAST.stage3)


def test_keypoints_need_the_vertices_of_smpl(builder: MotionBuilder) -> None:
    observations = FitObservations(
        joints2d=torch.ones(1, 2, 25, 3, dtype=DTYPE),
        camera_matrix=torch.eye(3, dtype=DTYPE)[None],
        floor_plane=torch.zeros(1, 4, dtype=DTYPE),
    )
    with pytest.raises(ValueError, match="6890"):
        FitObjective(builder.network, builder.body, builder.pose_prior, None, observations)


def test_every_stage_lowers_its_energy(fit: FitResult) -> None:
    assert list(fit.stages) == ["1", "2", "3a", "3b", "3c"]
    for stage in fit.stages.values():
        assert stage.energies[-1] < stage.energies[0]
    assert not fit.diverged


def test_a_fit_says_everything_of_every_frame(fit: FitResult) -> None:
    assert fit.joints.shape == (2, 9, 22, 3)
    assert fit.pose_body.shape == (2, 9, 21, 3, 3)
    assert fit.poses.trans.shape == (2, 9, 3)
    assert fit.contacts.shape == (2, 9, 22)
    assert fit.floor_plane is None
    assert all(bool(torch.isfinite(t).all()) for t in fit.poses.tensors().values())


def test_poses_of_a_fit_give_its_joints(fitter: MotionFitter, fit: FitResult) -> None:
    posed = MotionBuilder(fitter.network, fitter.body, fitter.pose_prior).pose(fit.poses)
    torch.testing.assert_close(posed.joints, fit.joints, rtol=0, atol=1e-6)


def test_observations_are_taken_in_the_type_of_the_body(fitter: MotionFitter) -> None:
    assert fitter.fit(FitObservations(joints3d=noise(1, 2, 22, 3).float())).joints.dtype == DTYPE


def test_the_packaged_body_can_be_fitted_to_joints() -> None:
    body = HumorBody.load(packaged_body_path())
    assert body.num_betas == 10
    config = replace(FAST, iterations=(1, 1, 1), first_until=0, frozen_until=0)
    network = make_network(SMOOTH).float()
    fitter = MotionFitter(network, body, RotationVectorPose(), None, config)
    fit = fitter.fit(FitObservations(joints3d=noise(1, 3, 22, 3).float()))
    assert fit.stages["2"].energies[-1] < fit.stages["1"].energies[0]
    assert fit.verts3d.shape == (1, 3, 0, 3)


def test_a_single_frame_is_refused(fitter: MotionFitter) -> None:
    with pytest.raises(ValueError, match="2 frames"):
        fitter.fit(FitObservations(joints3d=noise(1, 1, 22, 3)))


def test_fewer_frames_than_the_first_phase_work(fitter: MotionFitter) -> None:
    result = fitter.fit(FitObservations(joints3d=noise(1, 3, 22, 3)))
    assert result.joints.shape == (1, 3, 22, 3)


def test_a_fit_without_mixture_leaves_its_energy_out(observations: FitObservations) -> None:
    config = replace(FAST, iterations=(1, 1, 2), first_until=1, frozen_until=1)
    fitter = MotionFitter(make_network(SMOOTH), make_body(), RotationVectorPose(), None, config)
    assert "init_motion_prior" not in fitter.fit(observations).stages["3c"].terms


def test_velocities_of_a_steady_motion_are_steady() -> None:
    frames = torch.arange(6, dtype=DTYPE)[None, :, None]
    step = torch.tensor([0.01, -0.02, 0.03], dtype=DTYPE)
    expected = (30.0 * step).expand(1, 6, 3)
    torch.testing.assert_close(velocity(frames * step), expected)
    turning = angular_velocity(axis_angle_to_matrix(frames * step))
    torch.testing.assert_close(turning[:, 1:-1], expected[:, 1:-1], rtol=1e-3, atol=0)


def test_joints_without_a_label_have_no_contact() -> None:
    confidence = contact_confidence(torch.zeros(2, 9, dtype=DTYPE))
    expected = torch.zeros(2, 22, dtype=DTYPE)
    expected[:, list(CONTACT_JOINTS)] = 0.5
    torch.testing.assert_close(confidence, expected)


def test_surface_points_place_the_first_body() -> None:
    points = torch.full((1, 3, 4, 3), torch.nan, dtype=DTYPE)
    points[0, 0], points[0, 2, :2] = 1.0, 3.0
    start = initial_poses(FitObservations(points3d=points), make_body(), RotationVectorPose())
    means = torch.tensor([1.0, (4 * 1.0 + 2 * 3.0) / 6, 3.0], dtype=DTYPE)
    torch.testing.assert_close(start.trans[0], means[:, None].expand(3, 3))


def quadratic(target: torch.Tensor):
    def value(variables) -> ObjectiveValue:
        energy = (variables["x"] - target).square().sum()
        return ObjectiveValue(energy, {"energy": energy})

    return value


def test_minimising_finds_a_minimum_and_stops() -> None:
    target = noise(4)
    variables = {"x": torch.zeros(4, dtype=DTYPE)}
    minimum = minimise(quadratic(target), variables, ("x",), iterations=50)
    torch.testing.assert_close(variables["x"], target)
    assert len(minimum.energies) < 10
    assert not variables["x"].requires_grad


def test_steps_into_undefined_values_are_shortened() -> None:
    def value(variables) -> ObjectiveValue:
        energy = torch.where(
            variables["x"] < 2, -variables["x"], torch.full((), torch.nan, dtype=DTYPE)
        ).sum()
        return ObjectiveValue(energy, {"energy": energy})

    variables = {"x": torch.zeros(1, dtype=DTYPE)}
    minimum = minimise(value, variables, ("x",), iterations=5)
    assert 0.5 < float(variables["x"]) < 2
    assert not minimum.diverged


def test_an_undefined_start_is_left_alone_and_said() -> None:
    variables = {"x": torch.ones(1, dtype=DTYPE)}
    target = torch.full((1,), torch.nan, dtype=DTYPE)
    assert minimise(quadratic(target), variables, ("x",), iterations=5).diverged
    assert float(variables["x"]) == 1.0


def test_variables_that_are_not_free_stay() -> None:
    variables = {"x": torch.zeros(2, dtype=DTYPE), "y": torch.ones(2, dtype=DTYPE)}
    minimise(quadratic(noise(2)), variables, ("x",), iterations=2)
    assert torch.equal(variables["y"], torch.ones(2, dtype=DTYPE))


@given(st.integers(1, 400), st.integers(12, 60), st.integers(1, 11))
def test_windows_cover_a_recording_exactly(frames: int, window: int, overlap: int) -> None:
    starts = window_starts(frames, window, overlap)
    length = min(window, frames)
    assert starts[0] == 0
    assert starts[-1] + length == frames
    for earlier, later in pairwise(starts):
        assert earlier < later
        assert earlier + length - later >= overlap


def test_a_long_recording_is_joined_without_gaps(builder: MotionBuilder) -> None:
    config = replace(
        FAST, iterations=(1, 1, 2), first_until=1, frozen_until=1, window=6, overlap_frames=2
    )
    fitter = MotionFitter(builder.network, builder.body, builder.pose_prior, make_mixture(), config)
    joints = builder.motion(motion_variables(1, 13)).posed.joints
    seen: list[int] = []
    result = fit_recording(
        fitter, FitObservations(joints3d=joints), report=lambda first, _: seen.append(first)
    )
    assert result.joints.shape == (13, 22, 3)
    assert seen == [0, 2]
    torch.testing.assert_close(result.joints[:6], result.windows[0].joints[0])


def test_a_recording_is_one_sequence(fitter: MotionFitter) -> None:
    with pytest.raises(ValueError, match="one sequence"):
        fit_recording(fitter, FitObservations(joints3d=noise(2, 4, 22, 3)))


def test_published_weights_of_video() -> None:
    config = preset("rgb")
    assert config.iterations == (30, 80, 70)
    assert config.stage3 == StageWeights(
        joints2d=0.001,
        shape_prior=0.05,
        motion_prior=0.075,
        init_motion_prior=0.075,
        joint_consistency=100.0,
        bone_length=2000.0,
        contact_vel=100.0,
        contact_height=10.0,
        floor_reg=0.167,
    )


def test_an_unknown_configuration_lists_the_known() -> None:
    with pytest.raises(ValueError, match="amass_joints"):
        preset("nothing")


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": (1, 2)},
        {"first_until": 60, "frozen_until": 50},
        {"first_frames": 1},
        {"learning_rate": 0.0},
        {"window": 10},
    ],
)
def test_a_wrong_configuration_is_refused_by_name(changes: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        FitConfig(**changes)


def test_a_negative_weight_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="bone_length"):
        StageWeights(bone_length=-1.0)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "nothing is observed"),
        ({"joints3d": torch.zeros(1, 4, 21, 3)}, "joints3d"),
        ({"joints2d": torch.zeros(1, 4, 25, 3)}, "camera_matrix"),
        ({"joints3d": torch.zeros(1, 4, 22, 3), "verts3d": torch.zeros(1, 3, 43, 3)}, "verts3d"),
    ],
)
def test_unusable_observations_are_named(tensors: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FitObservations(**tensors)


def test_rotation_vector_poses_come_back() -> None:
    prior = RotationVectorPose(0.5)
    latent = noise(2, 63, scale=0.5)
    torch.testing.assert_close(prior.encode(prior.decode(latent)), latent)


def test_pose_variables_name_their_tensors() -> None:
    zeros = torch.zeros(1, 2, 3)
    variables = PoseVariables(zeros, zeros, torch.zeros(1, 2, 63), torch.zeros(1, 6))
    assert list(variables.tensors()) == ["trans", "root_orient", "latent_pose", "betas"]
