"""A stream of steps equals the batch forward, however it is cut and whoever comes and goes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from wham_cases import StickBody, join, largest_difference, make_inputs, make_network, make_start

from humor_ros.wham import WhamConfig, WhamNetwork, WhamOutputs, WhamState
from humor_ros.wham.runner import prepare_for_streaming

N_FRAMES = 10_000
TOLERANCE = 1e-4
#: Feedback, features and all layers; narrow, for the speed of the tests.
CONFIG = WhamConfig(d_embed=32, n_layers=3, d_feat=8, d_integrator=16)


@pytest.fixture(scope="module")
def long_network() -> WhamNetwork:
    return make_network(CONFIG)


@pytest.fixture(scope="module")
def batch(long_network: WhamNetwork, body: StickBody) -> tuple[WhamState, WhamOutputs]:
    """Two people over 10,000 frames in one call."""
    with torch.inference_mode():
        return long_network.step(make_start(long_network, 2), make_inputs(2, N_FRAMES), body)


def _stream(
    network: WhamNetwork, body: StickBody, sizes: list[int], n_people: int = 2
) -> tuple[WhamState, list[WhamOutputs]]:
    inputs, state = make_inputs(n_people, N_FRAMES), make_start(network, n_people)
    parts, at = [], 0
    with torch.inference_mode():
        for size in sizes:
            state, out = network.step(state, inputs.frames(at, at + size), body)
            parts.append(out)
            at += size
    return state, parts


def _difference(parts: list[WhamOutputs], whole: WhamOutputs) -> float:
    joined, expected = join(parts), join([whole])
    return max(float((joined[name] - tensor).abs().max()) for name, tensor in expected.items())


def _sizes(chunk: int) -> list[int]:
    whole, rest = divmod(N_FRAMES, chunk)
    return [chunk] * whole + ([rest] if rest else [])


def _random_sizes() -> list[int]:
    rng, sizes = random.Random(5), []
    while sum(sizes) < N_FRAMES:
        sizes.append(min(rng.randint(1, 200), N_FRAMES - sum(sizes)))
    return sizes


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes", [_sizes(7), _sizes(81), _random_sizes()], ids=["7", "81", "random"]
)
def test_chunks_equal_the_batch(
    sizes: list[int],
    long_network: WhamNetwork,
    body: StickBody,
    batch: tuple[WhamState, WhamOutputs],
) -> None:
    state, parts = _stream(long_network, body, sizes)
    assert _difference(parts, batch[1]) < TOLERANCE
    assert largest_difference(state, batch[0]) < TOLERANCE


@pytest.mark.slow
def test_single_frames_of_a_prepared_network_equal_the_batch(
    long_network: WhamNetwork, body: StickBody, batch: tuple[WhamState, WhamOutputs]
) -> None:
    state, parts = _stream(prepare_for_streaming(long_network), body, _sizes(1))
    assert _difference(parts, batch[1]) < TOLERANCE
    assert largest_difference(state, batch[0]) < TOLERANCE


def test_single_frames_equal_the_batch(network: WhamNetwork, body: StickBody) -> None:
    inputs, state = make_inputs(2, 60), make_start(network, 2)
    with torch.inference_mode():
        _, whole = network.step(state, inputs, body)
        parts = []
        for t in range(60):
            state, out = network.step(state, inputs.frames(t, t + 1), body)
            parts.append(out)
    assert _difference(parts, whole) < 1e-5


def test_people_join_and_leave_by_indexing(network: WhamNetwork, body: StickBody) -> None:
    """Three people: 0 stays, 1 leaves at frame 20, 2 joins at frame 10."""
    inputs, start = make_inputs(3, 40), make_start(network, 3)
    alone = {}
    for person, first, last in ((0, 0, 40), (1, 0, 20), (2, 10, 40)):
        frames = inputs.people([person]).frames(first, last)
        with torch.inference_mode():
            alone[person] = join([network.step(start.select(person), frames, body)[1]])

    present, state, seen = [0, 1], start.select([0, 1]), {0: [], 1: [], 2: []}
    for t in range(40):
        if t == 10:
            present, state = [0, 1, 2], WhamState.cat([state, start.select(2)])
        if t == 20:
            present, state = [2, 0], state.select([2, 0])
        with torch.inference_mode():
            state, out = network.step(state, inputs.people(present).frames(t, t + 1), body)
        values = join([out])
        for row, person in enumerate(present):
            seen[person].append({name: value[row : row + 1] for name, value in values.items()})

    for person, expected in alone.items():
        for name, value in expected.items():
            stream = torch.cat([frame[name] for frame in seen[person]], dim=1)
            torch.testing.assert_close(stream, value, atol=1e-5, rtol=1e-5)


def test_people_leave_by_a_mask(network: WhamNetwork) -> None:
    state = make_start(network, 3)
    kept = state.select(torch.tensor([True, False, True]))
    assert largest_difference(kept, state.select([0, 2])) == 0.0


def test_a_saved_state_goes_on_as_if_never_stopped(
    network: WhamNetwork, body: StickBody, tmp_path: Path
) -> None:
    inputs, state = make_inputs(2, 30), make_start(network, 2)
    with torch.inference_mode():
        middle, _ = network.step(state, inputs.frames(0, 13), body)
        end, rest = network.step(middle, inputs.frames(13, 30), body)
        middle.save(tmp_path / "state.npz")
        restored = WhamState.load(tmp_path / "state.npz")
        again, rest_again = network.step(restored, inputs.frames(13, 30), body)
    assert largest_difference(rest, rest_again) == 0.0
    assert largest_difference(end, again) == 0.0


def test_a_step_leaves_the_state_it_was_given(network: WhamNetwork, body: StickBody) -> None:
    state = make_start(network, 2)
    before = state.clone()
    for runner in (network, prepare_for_streaming(network)):
        with torch.inference_mode():
            runner.step(state, make_inputs(2, 5), body)
        assert largest_difference(state, before) == 0.0


def test_full_size_state_is_at_most_50_kb_a_person() -> None:
    config = WhamConfig()
    assert config.state_bytes <= 50_000


def test_state_size_is_what_the_configuration_says() -> None:
    network = make_network(CONFIG)
    state = make_start(network, 3)
    assert state.nbytes == 3 * CONFIG.state_bytes
