"""The pieces of the real-time solver against slower, plainer computations."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_cases import DTYPE, SMOOTH, UPRIGHT, make_network, noise
from torch.func import jacrev, vmap

from humor_ros.body import BodyModel
from humor_ros.geometry import axis_angle_to_matrix
from humor_ros.humor import HumorNetwork, MotionState
from humor_ros.humor.arrival import marginalise
from humor_ros.humor.frames import in_local_frame, local_frame, root_offset
from humor_ros.humor.mlp_jacobian import mlp_jacobian
from humor_ros.humor.motion import angular_velocity, velocity
from humor_ros.humor.window_body import NUM_MOVES, SolverBody
from humor_ros.humor.window_config import WindowConfig
from humor_ros.humor.window_normal import BORDER, NormalEquations, SolveError, Step
from humor_ros.humor.window_prior import prior_blocks
from humor_ros.humor.window_transition import (
    SPEEDS,
    TANGENT,
    TransitionJacobian,
    network_slopes,
    sparse_slopes,
    transition_jacobian,
    transition_states,
    transitions,
)
from humor_ros.humor.window_values import WindowMotion


@pytest.fixture(scope="module")
def solver_body() -> SolverBody:
    return SolverBody(BodyModel.load(dtype=DTYPE))


@pytest.fixture(scope="module")
def calm() -> HumorNetwork:
    """A decoder of small turns, for which the solver's derivatives are exact to first order."""
    network = make_network(SMOOTH)
    network.decoder.net[-1].weight.mul_(0.02)
    network.decoder.net[-1].bias.mul_(0.02)
    return network


def motion(frames: int) -> WindowMotion:
    def way(*shape: int, seed: int, scale: float) -> torch.Tensor:
        return noise(frames, *shape, seed=seed, scale=scale).cumsum(dim=0)

    rotations = axis_angle_to_matrix(
        noise(1, 22, 3, seed=1, scale=0.3) + way(22, 3, seed=2, scale=0.004)
    )
    rotations[:, 0] = axis_angle_to_matrix(way(3, seed=3, scale=0.01)) @ UPRIGHT
    return WindowMotion(
        root=way(3, seed=4, scale=0.02) + torch.tensor([3.0, 2.0, 1.0], dtype=DTYPE),
        rotations=rotations,
        latents=noise(frames - 2, SMOOTH.latent_size, seed=5),
        betas=noise(10, seed=6, scale=0.5),
        ground=torch.tensor([0.1, 0.0, 0.0], dtype=DTYPE),
    )


@pytest.mark.parametrize("direct", [False, True])
def test_an_mlps_jacobian_is_that_of_autograd(direct: bool) -> None:
    network = make_network(replace(SMOOTH, direct=direct))
    if direct:
        network.decoder.direct.normal_()
    x, z = noise(3, 339), noise(3, SMOOTH.latent_size, seed=1)
    found = mlp_jacobian(network.decoder, x, z)
    by_x, by_z = vmap(jacrev(lambda a, b: network.decode_raw(b[None], a[None])[0], argnums=(0, 1)))(
        x, z
    )
    torch.testing.assert_close(found.by_input, by_x)
    torch.testing.assert_close(found.by_skip, by_z)
    torch.testing.assert_close(found.value, network.decode_raw(z, x))


def test_chosen_rows_of_a_jacobian_are_those_of_all() -> None:
    network, x = make_network(SMOOTH), noise(2, 339)
    some = mlp_jacobian(network.prior_net, x, rows=slice(1, 4)).by_input
    torch.testing.assert_close(some, mlp_jacobian(network.prior_net, x).by_input[:, 1:4])


def test_points_are_those_of_the_body_model(solver_body: SolverBody) -> None:
    state = motion(4)
    whole = torch.cat((state.rotations, torch.eye(3, dtype=DTYPE).expand(4, 2, 3, 3)), dim=1)
    posed = solver_body.body(state.betas[None], whole)
    shift = (state.root - posed.joints[:, 0])[:, None]
    points = solver_body(state.betas, state.rotations, state.root)
    torch.testing.assert_close(points.joints, posed.joints[:, :22] + shift)
    torch.testing.assert_close(points.coco, posed.coco17 + shift, atol=1e-7, rtol=0)
    torch.testing.assert_close(points.feet, posed.feet + shift)


def test_points_move_as_their_jacobians_say(solver_body: SolverBody) -> None:
    state = motion(4)
    before = solver_body(state.betas, state.rotations, state.root, derivatives=True)
    step = Step(noise(4, NUM_MOVES, scale=1e-5), noise(BORDER, seed=1, scale=1e-5))
    moved = state.moved(step, torch.zeros_like(state.latents))
    after = solver_body(moved.betas, moved.rotations, moved.root)
    told = (before.jacobian @ step.moves[:, None, :, None])[..., 0]
    told = told + before.shape_jacobian @ step.border[:10]
    torch.testing.assert_close(after.points - before.points, told, atol=1e-8, rtol=1e-3)


def test_states_are_those_of_the_published_frames(solver_body: SolverBody) -> None:
    state = motion(6)
    points = solver_body(state.betas, state.rotations, state.root)
    rest = solver_body.rest_root(state.betas)
    found = transition_states(state, points, rest)
    down = torch.tensor([0.0, 0.0, 0.1], dtype=DTYPE)
    whole = MotionState(
        trans=state.root - rest - down,
        trans_vel=velocity(state.root[None])[0],
        root_orient=state.rotations[:, 0],
        root_orient_vel=angular_velocity(state.rotations[None, :, 0])[0],
        pose_body=state.rotations[:, 1:],
        joints=points.joints - down,
        joints_vel=velocity(points.joints[None])[0],
    )
    past, following = whole.map(lambda x: x[1:-1]), whole.map(lambda x: x[2:])
    frame = local_frame(past)
    offset = root_offset(past, frame)
    torch.testing.assert_close(found.rows, in_local_frame(past, frame, offset).vector())
    torch.testing.assert_close(found.following, in_local_frame(following, frame, offset).vector())


def test_transitions_change_as_their_jacobians_say(
    solver_body: SolverBody, calm: HumorNetwork
) -> None:
    state = motion(7)
    rest = solver_body.rest_root(state.betas)
    points = solver_body(state.betas, state.rotations, state.root, derivatives=True)
    states = transition_states(state, points, rest)
    before = transitions(calm, states, state.latents)
    slopes = network_slopes(calm, states.rows, state.latents)
    jacobian = transition_jacobian(states, points.jacobian, slopes, before.changes)
    step = Step(noise(7, NUM_MOVES, scale=1e-6), torch.zeros(BORDER, dtype=DTYPE))
    change = noise(5, SMOOTH.latent_size, seed=8, scale=1e-6)
    moved = state.moved(step, change)
    posed = solver_body(moved.betas, moved.rotations, moved.root)
    after = transitions(calm, transition_states(moved, posed, rest), moved.latents)
    three = torch.cat([step.moves[i : i + 5] for i in range(3)], dim=-1)[..., None]
    told = (jacobian.near.double() @ three)[..., 0]
    told[:, :TANGENT] += (jacobian.latent.double() @ change[..., None])[..., 0]
    late = torch.cat((step.moves[3:], torch.zeros(1, NUM_MOVES, dtype=DTYPE)))[..., None]
    told[:, list(SPEEDS)] += (jacobian.last.double() @ late)[..., 0]
    actual = torch.cat((after.defect - before.defect, after.mean - before.mean), dim=1)
    # The last pair's second velocities are not known, and not used.
    for rows, share in ((slice(0, TANGENT), 0.03), (slice(TANGENT, None), 0.05)):
        limit = share * float(told[:, rows].abs().max())
        torch.testing.assert_close(actual[:-1, rows], told[:-1, rows], atol=limit, rtol=0)


@pytest.mark.parametrize(("stride", "owners"), [(2, [1, 1, 3, 3, 4]), (3, [1, 1, 1, 4, 4])])
def test_neighbouring_transitions_share_exact_derivatives_of_one(
    calm: HumorNetwork, stride: int, owners: list[int]
) -> None:
    rows, latents = noise(5, 339, seed=3), noise(5, SMOOTH.latent_size, seed=4)
    exact = network_slopes(calm, rows, latents)
    shared = sparse_slopes(calm, rows, latents, stride)
    for name in ("decoder", "latent", "prior"):
        torch.testing.assert_close(getattr(shared, name), getattr(exact, name)[owners])
    alone = sparse_slopes(calm, rows, latents, 1)
    torch.testing.assert_close(alone.decoder, exact.decoder)
    assert len(sparse_slopes(calm, rows[:1], latents[:1], stride).prior) == 1


def test_eliminated_latents_leave_the_step_of_the_frames_alone(
    solver_body: SolverBody, calm: HumorNetwork
) -> None:
    count, size = 3, SMOOTH.latent_size
    jacobian = TransitionJacobian(
        near=noise(count, TANGENT + size, 3 * NUM_MOVES),
        last=noise(count, len(SPEEDS), NUM_MOVES, seed=1),
        latent=noise(count, TANGENT, size, seed=2),
    )
    rows, spread = noise(count, TANGENT, seed=3).abs() + 0.5, noise(count, size, seed=4).abs() + 0.5
    defect, away = noise(count, TANGENT, seed=5), noise(count, size, seed=6)
    blocks = prior_blocks(jacobian, rows, spread)
    whole = torch.zeros(count, TANGENT + size, 4 * NUM_MOVES + size, dtype=DTYPE)
    whole[..., : 3 * NUM_MOVES] = jacobian.near * torch.cat((rows, -spread), dim=1)[..., None]
    whole[:, list(SPEEDS), 3 * NUM_MOVES : 4 * NUM_MOVES] = (
        jacobian.last * rows[:, list(SPEEDS), None]
    )
    whole[:, :TANGENT, 4 * NUM_MOVES :] = jacobian.latent * rows[..., None]
    whole[:, TANGENT:, 4 * NUM_MOVES :] = torch.diag_embed(spread)
    matrix = whole.transpose(1, 2) @ whole + 1e-3 * torch.eye(whole.shape[2], dtype=DTYPE)
    right = (whole.transpose(1, 2) @ torch.cat((defect, away), dim=1)[..., None])[..., 0]
    keep = 4 * NUM_MOVES
    own = torch.linalg.inv(matrix[:, keep:, keep:] - 1e-3 * torch.eye(size, dtype=DTYPE))
    cross = matrix[:, :keep, keep:]
    expected = matrix[:, :keep, :keep] - 1e-3 * torch.eye(keep, dtype=DTYPE)
    expected = expected - cross @ own @ cross.transpose(1, 2)
    torch.testing.assert_close(blocks.matrix, expected)
    gradient = right[:, :keep] - (cross @ own @ right[:, keep:, None])[..., 0]
    torch.testing.assert_close(blocks.gradient(defect, away), gradient)


def full(frames: int, seed: int = 0) -> NormalEquations:
    normal = NormalEquations(frames)
    for span in (1, 2, 3, 4):
        count = frames - span + 1
        normal.add(
            0,
            noise(count, 90, span * NUM_MOVES, seed=seed + span),
            noise(count, 90, seed=seed + 10 + span),
            noise(count, 90, BORDER, seed=seed + 20 + span),
        )
    return normal


@pytest.mark.parametrize("frames", [4, 5, 9])
def test_the_banded_step_is_that_of_the_whole_matrix(frames: int) -> None:
    normal = full(frames)
    matrix, gradient = normal.dense(frames)
    damped = matrix + torch.diag(0.1 * matrix.diagonal() + 1e-6)
    expected = torch.linalg.solve(damped, -gradient)
    step = normal.solve(0.1)
    torch.testing.assert_close(step.moves.flatten(), expected[:-BORDER])
    torch.testing.assert_close(step.border, expected[-BORDER:])


def test_equations_that_are_not_finite_have_no_step() -> None:
    normal = full(5)
    normal.blocks[2, 0, 3, 3] = torch.nan
    with pytest.raises(SolveError):
        normal.solve(0.1)


def test_marginalised_frames_leave_the_solution_of_the_rest_alone() -> None:
    state = motion(8)
    everything = full(8)
    matrix, gradient = everything.dense(8)
    expected = torch.linalg.solve(matrix, -gradient)[3 * NUM_MOVES :]
    past = NormalEquations(8, anchors=3)
    rest = NormalEquations(8)
    for span in (1, 2, 3, 4):
        count = 8 - span + 1
        parts = (
            noise(count, 90, span * NUM_MOVES, seed=span),
            noise(count, 90, seed=10 + span),
            noise(count, 90, BORDER, seed=20 + span),
        )
        past.add(0, *parts)
        rest.add(3, *(part[3:] for part in parts))
    arrival = marginalise(past, state, 3, weight=1.0)
    assert arrival is not None
    following = NormalEquations(5)
    following.blocks += rest.blocks[3:]
    following.gradient += rest.gradient[3:]
    following.sides += rest.sides[3:]
    following.border += rest.border
    following.border_gradient += rest.border_gradient
    arrival.add(state.cut(3, 8), following)
    matrix, gradient = following.dense(5)
    torch.testing.assert_close(
        torch.linalg.solve(matrix, -gradient), expected, atol=1e-6, rtol=1e-4
    )


def test_the_arrival_cost_is_least_where_the_past_put_it() -> None:
    state, past = motion(8), NormalEquations(8, anchors=3)
    past.add(0, noise(5, 300, 4 * NUM_MOVES), torch.zeros(5, 300, dtype=DTYPE))
    arrival = marginalise(past, state, 3, weight=0.5)
    assert arrival is not None
    first = state.cut(3, 8)
    step = Step(noise(5, NUM_MOVES, scale=0.01), torch.zeros(BORDER, dtype=DTYPE))
    assert arrival.cost(first) == pytest.approx(0.0, abs=1e-9)
    assert arrival.cost(first.moved(step, torch.zeros_like(first.latents))) > 0


@pytest.mark.parametrize(
    "bad",
    [
        {"frames": 4},
        {"hop": 0},
        {"hop": 57},
        {"lag": 50},
        {"bridge": -1},
        {"slope_stride": 0},
        {"iterations": 0},
        {"arrival_weight": 1.5},
        {"prior_weight": -1.0},
    ],
)
def test_bad_settings_name_themselves(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        WindowConfig(**bad)
