"""Facts about the networks, canonical frames and roll-outs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from humor_cases import DTYPE, SMALL, UPRIGHT, make_network, make_state, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from humor_ros.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from humor_ros.humor import (
    CONTACT_NAMES,
    HumorConfig,
    HumorNetwork,
    MotionState,
    roll_out,
    transition_posterior,
)
from humor_ros.humor.frames import (
    heading_rotation,
    in_local_frame,
    local_frame,
    root_offset,
    to_world,
)
from humor_ros.humor.rotations import rodrigues, rotation_vector
from humor_ros.humor.state import CONTACT_JOINTS, INPUT_SIZE, OUTPUT_SIZE


def turned(
    state: MotionState, angle: float, shift: tuple[float, float], offset: torch.Tensor
) -> MotionState:
    """The same motion seen from another place.

    SMPL turns about its root joint, which stands at the translation plus an ``offset`` (B, 3)
    that does not turn; so the root joint, not the translation, is turned about the origin.
    """
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, angle], dtype=DTYPE))
    move = torch.tensor([*shift, 0.0], dtype=DTYPE)
    offset = offset.reshape(len(offset), *[1] * (state.trans.dim() - 2), 3)
    return replace(
        state,
        trans=(state.trans + offset) @ turn.T + move - offset,
        trans_vel=state.trans_vel @ turn.T,
        root_orient=turn @ state.root_orient,
        root_orient_vel=state.root_orient_vel @ turn.T,
        joints=state.joints @ turn.T + move,
        joints_vel=state.joints_vel @ turn.T,
    )


def offset_of(state: MotionState) -> torch.Tensor:
    """(B, 3) from the translation to the root joint, along the ground."""
    return (state.joints[:, 0] - state.trans) * torch.tensor([1.0, 1.0, 0.0], dtype=DTYPE)


def test_published_size() -> None:
    with torch.device("meta"):
        network = HumorNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) == 9_725_976
    assert (INPUT_SIZE, OUTPUT_SIZE) == (339, 348)
    assert len(CONTACT_NAMES) == len(CONTACT_JOINTS) == 9


def test_sizes_are_read_back_from_shapes() -> None:
    shapes = {k: tuple(v.shape) for k, v in HumorNetwork(SMALL).state_dict().items()}
    assert HumorConfig.from_shapes(shapes) == SMALL
    assert HumorConfig.from_dict(SMALL.to_dict()) == SMALL


@pytest.mark.parametrize(
    "changes", [{"latent_size": 0}, {"decoder_widths": ()}, {"prior_widths": (40,)}]
)
def test_a_wrong_size_is_refused_by_name(changes: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        replace(SMALL, **changes)


def test_rows_and_states_are_the_same_thing() -> None:
    row = noise(2, 4, OUTPUT_SIZE)
    state = MotionState.from_vector(row)
    torch.testing.assert_close(state.vector(), row, rtol=0, atol=0)
    torch.testing.assert_close(MotionState.from_flat(state.flat()).vector(), row, rtol=0, atol=0)


def test_a_row_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="339"):
        MotionState.from_vector(torch.zeros(2, 340))


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_every_batch_size_equals_single_runs(network: HumorNetwork, batch: int) -> None:
    state, z = make_state(batch), noise(batch, 4, SMALL.latent_size, seed=9)
    together = roll_out(network, state, z, canonicalize=True, uncanonicalize=True)
    alone = [
        roll_out(
            network,
            state.map(lambda part, i=i: part[i : i + 1]),
            z[i : i + 1],
            canonicalize=True,
            uncanonicalize=True,
        )
        for i in range(batch)
    ]
    torch.testing.assert_close(
        together.states.vector(), torch.cat([run.states.vector() for run in alone])
    )
    torch.testing.assert_close(together.prior.mean, torch.cat([run.prior.mean for run in alone]))


def test_a_motion_does_not_depend_on_where_it_is_seen_from(network: HumorNetwork) -> None:
    state, z = make_state(3, yaw=0.4), noise(3, 5, SMALL.latent_size, seed=5)
    here = roll_out(network, state, z, canonicalize=True, uncanonicalize=True).states
    moved = turned(state, 1.1, (2.0, -3.0), offset_of(state))
    there = roll_out(network, moved, z, canonicalize=True, uncanonicalize=True).states
    # The heading's guard against division by zero turns it by some millionths of a radian.
    expected = turned(here, 1.1, (2.0, -3.0), offset_of(state))
    torch.testing.assert_close(there.vector(), expected.vector(), rtol=0, atol=2e-5)


def test_later_steps_do_not_change_earlier_ones(network: HumorNetwork) -> None:
    state, z = make_state(2), noise(2, 6, SMALL.latent_size, seed=6)
    whole, short = roll_out(network, state, z), roll_out(network, state, z[:, :2])
    torch.testing.assert_close(short.states.vector(), whole.states.vector()[:, :2])


def test_the_initial_state_is_left_alone(network: HumorNetwork) -> None:
    state = make_state(2, yaw=0.3)
    before = state.vector().clone()
    roll_out(network, state, n_steps=3, canonicalize=True)
    torch.testing.assert_close(state.vector(), before, rtol=0, atol=0)


def test_the_mean_roll_out_uses_the_prior_mean(network: HumorNetwork) -> None:
    run = roll_out(network, make_state(2), n_steps=3)
    torch.testing.assert_close(run.z, run.prior.mean, rtol=0, atol=0)


def test_samples_follow_their_generator(network: HumorNetwork) -> None:
    def draw(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return roll_out(network, make_state(2), n_steps=3, sample=True, generator=generator).z

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_samples_have_the_variance_of_the_prior(network: HumorNetwork) -> None:
    prior = network.prior(noise(1, INPUT_SIZE).expand(20_000, -1))
    z = prior.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.var(dim=0), prior.variance[0], rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "n_steps"),
        ({"n_steps": 0}, "n_steps"),
        ({"z": torch.zeros(2, 3, 5, dtype=DTYPE), "n_steps": 4}, "n_steps"),
        ({"z": torch.zeros(2, 3, 4, dtype=DTYPE)}, "z must"),
        ({"z": torch.zeros(1, 3, 5, dtype=DTYPE)}, "z must"),
        ({"n_steps": 2, "uncanonicalize": True}, "canonicalize"),
    ],
)
def test_unusable_arguments_are_named(network: HumorNetwork, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        roll_out(network, make_state(2), **arguments)


def test_gradients_of_an_upright_resting_body_are_finite(network: HumorNetwork) -> None:
    leaves = {name: torch.zeros_like(value) for name, value in make_state(3).flat().items()}
    eye = torch.eye(3, dtype=DTYPE)
    leaves["root_orient"] = UPRIGHT.reshape(1, 9).repeat(3, 1)
    leaves["pose_body"] = eye.reshape(9).repeat(3, 21)
    leaves = {name: value.requires_grad_() for name, value in leaves.items()}
    z = torch.zeros(3, 4, SMALL.latent_size, dtype=DTYPE, requires_grad=True)
    run = roll_out(
        network, MotionState.from_flat(leaves), z, canonicalize=True, uncanonicalize=True
    )
    total = run.states.vector().sum() + run.prior.log_prob(run.z).sum()
    gradients = torch.autograd.grad(total, [z, *leaves.values()])
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_the_posterior_of_pairs_sees_each_in_its_own_frame(network: HumorNetwork) -> None:
    run = roll_out(network, make_state(3), noise(3, 4, SMALL.latent_size, seed=2))
    states = MotionState.stack(
        [make_state(3)]
        + [run.states.without_contacts().map(lambda p, i=i: p[:, i]) for i in range(4)],
        dim=1,
    )
    _, prior = transition_posterior(network, states)
    # Frames agree but for the heading's guard, which first acts in the pair's own frame.
    torch.testing.assert_close(prior.mean[:, 1:], run.prior.mean[:, 1:], rtol=0, atol=5e-3)


def test_a_single_frame_has_no_transition(network: HumorNetwork) -> None:
    states = make_state(2).map(lambda part: part[:, None])
    with pytest.raises(ValueError, match="2 frames"):
        transition_posterior(network, states)


@settings(max_examples=40, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5))
def test_local_frames_are_left_as_they_were_entered(yaw: float, x: float, y: float) -> None:
    state = make_state(2)
    state = turned(state, yaw, (x, y), offset_of(state))
    frame = local_frame(state)
    offset = root_offset(state, frame)
    local = in_local_frame(state, frame, offset)
    back = to_world(local, frame, offset)
    # rodrigues() leaves rotations off by 1e-8
    torch.testing.assert_close(back.vector(), state.vector(), rtol=0, atol=1e-6)
    assert float(local.trans[:, :2].abs().max()) < 1e-10


@settings(max_examples=40, deadline=None)
@given(st.floats(-3.0, 3.0))
def test_the_heading_turns_the_right_side_to_x(yaw: float) -> None:
    root = make_state(1, yaw=yaw).root_orient
    right = -(heading_rotation(root) @ root)[0, :, 0]
    # sqrt(h^2 + 2e-6) instead of h, or nearly nothing for a heading of zero
    torch.testing.assert_close(right, torch.tensor([1.0, 0.0, 0.0], dtype=DTYPE), rtol=0, atol=2e-3)


def test_a_lying_body_has_finite_heading_and_gradient() -> None:
    lying = axis_angle_to_matrix(torch.tensor([[0.0, torch.pi / 2, 0.0]], dtype=DTYPE))
    lying = lying.requires_grad_()
    heading = heading_rotation(lying)
    heading.sum().backward()
    assert bool(torch.isfinite(heading).all())
    assert bool(torch.isfinite(lying.grad).all())


def test_rotation_vectors_have_finite_gradients_at_the_identity() -> None:
    matrix = torch.eye(3, dtype=DTYPE).requires_grad_()
    rotation_vector(matrix).sum().backward()
    assert bool(torch.isfinite(matrix.grad).all())
    vector = torch.zeros(3, dtype=DTYPE).requires_grad_()
    rodrigues(vector).sum().backward()
    assert bool(torch.isfinite(vector.grad).all())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1.7, 1.7), min_size=3, max_size=3))
def test_published_rotations_are_the_common_ones_but_for_rounding(vector: list[float]) -> None:
    axis_angle = torch.tensor(vector, dtype=DTYPE)
    matrix = axis_angle_to_matrix(axis_angle)
    torch.testing.assert_close(rodrigues(axis_angle), matrix, rtol=0, atol=5e-8)
    torch.testing.assert_close(
        rotation_vector(matrix), matrix_to_axis_angle(matrix), rtol=0, atol=1e-7
    )


def test_a_network_in_training_is_not_frozen() -> None:
    assert all(p.requires_grad for p in HumorNetwork(SMALL).parameters())
    assert not any(p.requires_grad for p in make_network().parameters())
