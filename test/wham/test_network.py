"""Properties of the network's step: masks, single frames, feedback, gradients, options."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from wham_cases import (
    SMALL,
    StickBody,
    flat,
    largest_difference,
    make_inputs,
    make_network,
    make_start,
    with_config,
)

from humor_ros.wham import Feedback, WhamConfig, WhamInputs, WhamNetwork
from humor_ros.wham.runner import StreamingNetwork, prepare_for_streaming


def test_published_size_has_42_million_parameters() -> None:
    with torch.device("meta"):
        network = WhamNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) == 42_034_668
    assert len(network.state_dict()) == 83


def test_sizes_are_read_back_from_shapes() -> None:
    config = WhamConfig(d_embed=40, n_layers=2, n_refiner_layers=1, d_refiner=16, d_feat=9)
    shapes = {k: tuple(v.shape) for k, v in WhamNetwork(config).state_dict().items()}
    assert WhamConfig.from_shapes(shapes) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_embed": 0}, "d_embed"),
        ({"rnn_dropout": 1.0}, "rnn_dropout"),
        ({"integrator_gate": "none"}, "integrator_gate"),
        ({"d_refiner": -1}, "d_refiner"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_a_single_first_frame_works(network: WhamNetwork, body: StickBody) -> None:
    _, out = network.step(make_start(network, 1), make_inputs(1, 1), body)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in flat(out).values())


def test_feet_do_not_move_the_first_frame(network: WhamNetwork, body: StickBody) -> None:
    _, out = network.step(make_start(network, 2), make_inputs(2, 1), body)
    torch.testing.assert_close(out.velocity_reset, out.motion.velocity, atol=1e-6, rtol=0)


def test_inputs_are_not_edited(network: WhamNetwork, body: StickBody) -> None:
    inputs = make_inputs(2, 4)
    before = {name: tensor.clone() for name, tensor in flat(inputs).items()}
    network.step(make_start(network, 2), inputs, body)
    assert all(torch.equal(flat(inputs)[name], tensor) for name, tensor in before.items())


@given(value=st.sampled_from([0.0, 1e6, float("nan"), float("inf")]))
@settings(max_examples=4, deadline=None)
def test_masked_keypoints_say_nothing(value: float) -> None:
    network, body = make_network(), StickBody()
    inputs = make_inputs(2, 4)
    x = inputs.x.clone()
    x[..., :34].unflatten(-1, (17, 2))[inputs.mask] = value
    _, seen = network.step(make_start(network, 2), inputs, body)
    _, changed = network.step(make_start(network, 2), replace(inputs, x=x), body)
    assert largest_difference(seen, changed) == 0.0


def test_unmasked_keypoints_say_something(network: WhamNetwork, body: StickBody) -> None:
    inputs = make_inputs(2, 4)
    _, seen = network.step(make_start(network, 2), inputs, body)
    _, changed = network.step(
        make_start(network, 2), replace(inputs, mask=torch.zeros_like(inputs.mask)), body
    )
    assert largest_difference(seen, changed) > 1e-3


def test_forward_is_a_step_from_the_initial_state(network: WhamNetwork, body: StickBody) -> None:
    inputs = make_inputs(2, 6)
    kp, smpl, root = torch.randn(2, 1, 88), torch.randn(2, 1, 24, 6), torch.randn(2, 1, 6)
    _, forward = network(inputs, kp, smpl, root, body)
    _, step = network.step(network.initial_state(kp, smpl, root), inputs, body)
    assert largest_difference(forward, step) == 0.0


def test_state_and_inputs_of_different_people_are_refused(
    network: WhamNetwork, body: StickBody
) -> None:
    with pytest.raises(ValueError, match="3 people and the inputs 2"):
        network.step(make_start(network, 3), make_inputs(2, 4), body)


def _free_running(network: WhamNetwork, inputs: WhamInputs) -> tuple[Feedback, object]:
    """Its own outputs as feedback, and the free-running prediction."""
    state = make_start(network, inputs.n_people)
    _, motion = network.predict(state, inputs)
    own = Feedback.from_targets(
        kp3d=(state.kp3d, motion.kp3d),
        root=(state.root, motion.root),
        pose=(state.pose, motion.pose),
    )
    return own, motion


def test_its_own_outputs_as_feedback_change_nothing(network: WhamNetwork) -> None:
    inputs = make_inputs(2, 12)
    own, motion = _free_running(network, inputs)
    _, parallel = network.predict(make_start(network, 2), inputs, own)
    assert largest_difference(motion, parallel) < 2e-6


@pytest.mark.parametrize("name", ["kp3d", "root", "pose"])
def test_feedback_of_one_module_leaves_the_others_free(network: WhamNetwork, name: str) -> None:
    inputs = make_inputs(2, 12)
    own, motion = _free_running(network, inputs)
    one = Feedback(**{name: getattr(own, name)})
    _, mixed = network.predict(make_start(network, 2), inputs, one)
    assert largest_difference(motion, mixed) < 2e-6


@pytest.mark.parametrize(
    ("switch", "columns"),
    [
        ("kp_feedback", ("motion_encoder", slice(24, 75))),
        ("root_feedback", ("trajectory_decoder", slice(75, 81))),
        ("pose_feedback", ("motion_decoder", slice(75, 219))),
    ],
)
def test_feedback_switched_off_is_a_network_without_feedback_weights(
    network: WhamNetwork, switch: str, columns: tuple[str, slice]
) -> None:
    module, fed = columns
    off = with_config(network, **{switch: False})
    with torch.no_grad():
        getattr(network, module).regressor.rnn.weight_ih_l0[:, fed] = 0.0
    inputs, state = make_inputs(2, 9), make_start(network, 2)
    expected = network.predict(state, inputs)[1]
    assert largest_difference(expected, off.predict(state, inputs)[1]) < 2e-6


@pytest.mark.parametrize("free", [True, False])
def test_gradients_reach_every_parameter(body: StickBody, free: bool) -> None:
    network = make_network().train()
    inputs = make_inputs(2, 6)
    state = network.initial_state(
        torch.randn(2, 1, 88), torch.randn(2, 1, 24, 6), torch.randn(2, 1, 6)
    )
    feedback = (
        None
        if free
        else Feedback(torch.zeros(2, 6, 51), torch.zeros(2, 6, 6), torch.zeros(2, 6, 144))
    )
    _, out = network.step(state, inputs, body, feedback=feedback)
    sum(tensor.square().sum() for tensor in flat(out).values()).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_free_running_and_parallel_gradients_agree(network: WhamNetwork) -> None:
    network, inputs = network.double(), make_inputs(2, 5)
    inputs = WhamInputs(
        **{k: v.double() if v.is_floating_point() else v for k, v in flat(inputs).items()}
    )
    off = with_config(network, kp_feedback=False, root_feedback=False, pose_feedback=False)
    off = off.double()
    zeros = Feedback(*(torch.zeros(2, 5, size, dtype=torch.float64) for size in (51, 6, 144)))
    for one, feedback in ((network, zeros), (off, None)):
        one.zero_grad()
        _, motion = one.predict(make_start(one, 2), inputs, feedback)
        sum(tensor.square().sum() for tensor in flat(motion).values()).backward()
    pairs = zip(network.named_parameters(), off.named_parameters(), strict=True)
    for (name, a), (_, b) in pairs:
        if a.grad is not None and "refiner" not in name:
            torch.testing.assert_close(a.grad, b.grad)


def test_dropout_acts_in_training_only(network: WhamNetwork) -> None:
    inputs, state = make_inputs(1, 5), make_start(network, 1)
    torch.manual_seed(0)
    for mode, differs in ((True, True), (False, False)):
        network.train(mode)
        first = network.predict(state, inputs)[1]
        second = network.predict(state, inputs)[1]
        assert (largest_difference(first, second) > 0.0) is differs


def test_zero_features_lose_the_residual_of_their_own_frame_only(network: WhamNetwork) -> None:
    context, features = torch.randn(1, 6, 75), torch.randn(1, 6, 8)
    gap = features.clone()
    gap[:, 2] = 0.0
    plain, with_gap = network.integrate(context, features), network.integrate(context, gap)
    changed = (plain - with_gap).abs().amax(-1)[0] > 1e-6
    assert changed.tolist() == [False, False, True, False, False, False]


def test_sequence_gate_lets_one_zero_feature_reach_all_frames(network: WhamNetwork) -> None:
    network = with_config(network, integrator_gate="sequence")
    context, features = torch.randn(1, 6, 75), torch.randn(1, 6, 8)
    gap = features.clone()
    gap[:, 2] = 0.0
    plain, with_gap = network.integrate(context, features), network.integrate(context, gap)
    assert bool(((plain - with_gap).abs().amax(-1) > 1e-6).all())


def test_frames_without_a_feature_keep_their_context(network: WhamNetwork) -> None:
    context, features = torch.randn(1, 4, 75), torch.randn(1, 4, 8)
    known = torch.tensor([[True, False, True, False]])
    merged = network.integrate(context, features, known)
    assert torch.equal(merged[~known], context[~known])
    assert torch.equal(merged[known], network.integrate(context, features)[known])


def test_camera_translation_needs_boxes(network: WhamNetwork, body: StickBody) -> None:
    _, out = network.step(make_start(network, 1), replace(make_inputs(1, 2), bbox=None), body)
    assert out.translation_camera is None


def test_batch_of_people_equals_each_alone(network: WhamNetwork, body: StickBody) -> None:
    inputs, state = make_inputs(8, 3), make_start(network, 8)
    fast = prepare_for_streaming(network)
    with torch.inference_mode():
        for t in range(3):
            state_all, out_all = fast.step(state, inputs.frames(t, t + 1), body)
            for i in range(8):
                _, out = fast.step(state.select(i), inputs.people([i]).frames(t, t + 1), body)
                for name, tensor in flat(out).items():
                    torch.testing.assert_close(
                        flat(out_all)[name][i : i + 1], tensor, atol=2e-5, rtol=2e-5
                    )
            state = state_all


@pytest.mark.parametrize("n_frames", [1, 6])
@pytest.mark.parametrize("feedback", [True, False])
def test_a_prepared_network_computes_the_same(
    body: StickBody, n_frames: int, feedback: bool
) -> None:
    switches = dict.fromkeys(("kp_feedback", "root_feedback", "pose_feedback"), feedback)
    network = make_network(replace(SMALL, **switches))
    inputs, state = make_inputs(3, n_frames), make_start(network, 3)
    with torch.inference_mode():
        _, expected = network.step(state, inputs, body)
        _, fast = prepare_for_streaming(network).step(state, inputs, body)
    assert largest_difference(expected, fast) < 1e-5


def test_a_prepared_network_cannot_be_trained(network: WhamNetwork) -> None:
    fast = prepare_for_streaming(network)
    assert isinstance(fast, StreamingNetwork)
    with pytest.raises(ValueError, match="cannot be trained"):
        fast.train()


def test_a_prepared_network_refuses_feedback(network: WhamNetwork) -> None:
    fast = prepare_for_streaming(network)
    with pytest.raises(ValueError, match="leave feedback out"):
        fast.predict(
            make_start(network, 1), make_inputs(1, 2), Feedback(kp3d=torch.zeros(1, 2, 51))
        )


def test_reduced_precision_stays_near(network: WhamNetwork) -> None:
    inputs, state = make_inputs(2, 8), make_start(network, 2)
    expected = network.predict(state, inputs)[1]
    zeros = Feedback(kp3d=torch.zeros(2, 8, 51))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reduced = network.predict(state, inputs)[1]
        network.predict(state, inputs, zeros)
    assert largest_difference(expected, reduced) < 0.05
