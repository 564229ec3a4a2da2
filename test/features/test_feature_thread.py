"""The encoder beside the loop: nothing waits, what is late enters at its image, no jump."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from online_cases import Walkers, picture, run
from scipy.spatial.transform import Rotation

from humor_ros.features import feature_thread
from humor_ros.features.person_crops import CropRequest, encode
from humor_ros.wham.correction import Correction
from humor_ros.wham.history import advance_branch, begin_branch
from humor_ros.wham.stream_config import StreamConfig

PATIENCE_S = 120.0


class Gate:
    """Holds the encoder until it is told to go on."""

    def __init__(self, monkeypatch):
        self.entered, self.open = threading.Event(), threading.Event()
        self.stamps, self.threads, self.intra_op = [], [], []
        encode = feature_thread.encode

        def held(extractor, request):
            self.stamps.append(request.stamp_s)
            self.threads.append(threading.current_thread())
            self.intra_op.append(torch.get_num_threads())
            self.entered.set()
            assert self.open.wait(PATIENCE_S)
            return encode(extractor, request)

        monkeypatch.setattr(feature_thread, "encode", held)


@pytest.fixture
def gate(monkeypatch):
    gate = Gate(monkeypatch)
    yield gate
    gate.open.set()


@pytest.fixture
def closing():
    made = []
    yield made.append
    for pipeline in made:
        pipeline.close()


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def ready(pipeline):
    """People have caught up with the stream and wait for the loop."""
    waiting = pipeline._features._ready
    return waiting is not None and waiting[0].stamp_s == pipeline._stream.stamp_s


def late_start(studio, closing, gate, frames=12, stream=None, **features):
    """A tracker after some images; the crop of a person's first image has caught up by now."""
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, stream, **features)
    closing(pipeline)
    results = []
    while not results or not results[-1].humans:
        results += run(pipeline, walkers, 1, len(results))
    assert gate.entered.wait(PATIENCE_S)
    results += run(pipeline, walkers, frames - len(results), len(results))
    gate.open.set()
    until(lambda: ready(pipeline))
    return pipeline, walkers, results


def test_images_do_not_wait_for_the_encoder(studio, closing, gate):
    walkers = Walkers([100.0, 200.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    results = run(pipeline, walkers, 15)
    assert len(results[-1].humans) == 2  # the encoder still holds its first image
    assert gate.entered.wait(PATIENCE_S)
    assert pipeline.counters["features.encoded"] == 0
    assert pipeline.counters["features.replaced"] > 0


def test_before_the_first_feature_people_are_as_without_one(studio, closing, gate):
    walkers = Walkers([100.0])
    stream = StreamConfig(missing_feature="context")
    pipeline = studio.tracker(walkers, stream)
    closing(pipeline)
    waiting, plain = run(pipeline, walkers, 8), run(studio.plain(walkers), walkers, 8)
    for human, same in zip(waiting[-1].humans, plain[-1].humans, strict=True):
        np.testing.assert_array_equal(human.joints_world, same.joints_world)


def test_the_encoder_takes_the_newest_image(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    run(pipeline, walkers, 6)
    assert gate.entered.wait(PATIENCE_S)
    results = run(pipeline, walkers, 10, 6)
    gate.open.set()
    until(lambda: ready(pipeline))
    results += run(pipeline, walkers, 1, 16)
    until(lambda: len(gate.stamps) > 1)
    assert gate.stamps[1] == results[-1].stamp_s


def test_a_late_feature_gives_what_it_had_given_in_time(studio, closing, gate):
    """Stepped anew from its own image on, the state is that of a run that knew it at once."""
    pipeline, walkers, results = late_start(studio, closing, gate)
    first = gate.stamps[0]
    assert first == next(r for r in results if r.humans).stamp_s
    run(pipeline, walkers, 1, 12)
    assert pipeline.counters["features.applied"] == 1
    known = studio.tracker(walkers, background=False, every=1000)
    run(known, walkers, 13)
    late, wanted = pipeline._stream._state, known._stream._state
    for name, tensor in wanted.tensors().items():
        if name not in ("translation", "translation_unrefined"):
            torch.testing.assert_close(getattr(late, name), tensor, atol=1e-5, rtol=1e-5)


def angles(first, second):
    """(N,) radians between rotations (N, 3, 3)."""
    return Rotation.from_matrix(first.swapaxes(-1, -2) @ second).magnitude()


def test_the_initialisation_from_the_image_makes_no_jump(studio, closing, gate):
    """The told step is that of the corrected path and a fifth of the difference at most."""
    unfiltered = StreamConfig(output_cutoff_hz=0.0)  # the filter would lag behind both paths
    pipeline, walkers, results = late_start(studio, closing, gate, frames=5, stream=unfiltered)
    before = results[-1].humans[0]
    branch = pipeline._features._ready[0]
    said_before = branch.answers[0].rotations[-1]
    said = []
    step = pipeline._stream.stepper.step

    def noted(state, inputs, features=None):
        state, outputs = step(state, inputs, features)
        if threading.current_thread() is threading.main_thread():
            said.append(outputs.rotations[0, -1].double().numpy())
        return state, outputs

    pipeline._stream.stepper.step = noted
    after = run(pipeline, walkers, 1, 5)[-1].humans[0]
    assert pipeline.counters["features.applied"] == 1
    told_before = np.concatenate((before.root_orientation_camera[None], before.body_pose))
    told_after = np.concatenate((after.root_orientation_camera[None], after.body_pose))
    difference = angles(told_before, said_before)
    assert difference.max() > 0.02, "the correction is too small to show anything"
    share = 1.0 - np.exp(-(1 / 30) / 0.15)
    bound = angles(said_before, said[0]) + share * difference + 1e-6
    assert (angles(told_before, told_after) <= bound).all()


def test_what_is_told_reaches_the_corrected_path(studio, closing, gate):
    pipeline, walkers, _ = late_start(studio, closing, gate, every=1000)
    run(pipeline, walkers, 60, 12)
    (person,) = pipeline._stream._people
    assert person.correction is None
    assert person.image_started


def test_the_place_moves_on_without_a_jump(studio, closing, gate):
    pipeline, walkers, results = late_start(studio, closing, gate)
    before = results[-1].humans[0]
    after = run(pipeline, walkers, 1, 12)[-1].humans[0]
    usual = max(
        np.linalg.norm(b.humans[0].joints_camera - a.humans[0].joints_camera, axis=1).max()
        for a, b in pairwise(results[6:])
    )
    step = np.linalg.norm(after.joints_camera - before.joints_camera, axis=1).max()
    assert step < usual + 0.25


def test_a_feature_of_someone_who_has_gone_is_dropped(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    run(pipeline, walkers, 8)
    assert gate.entered.wait(PATIENCE_S)
    walkers.places = []
    run(pipeline, walkers, 50, 8)
    gate.open.set()
    until(lambda: pipeline.counters["features.gone"] >= 1)
    assert pipeline.counters["features.applied"] == 0


def test_a_feature_that_is_too_old_is_dropped(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, max_age_s=0.2)
    closing(pipeline)
    run(pipeline, walkers, 20)
    gate.open.set()
    until(lambda: pipeline.counters["features.late"] >= 1)


def test_a_clock_that_starts_anew_drops_what_is_in_work(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    run(pipeline, walkers, 8)
    assert gate.entered.wait(PATIENCE_S)
    pipeline.process(picture(0), 1.0)
    gate.open.set()
    until(lambda: pipeline.counters["features.late"] >= 1)
    assert len(run(pipeline, walkers, 8, 100)[-1].humans) == 1


def test_an_encoder_that_fails_leaves_the_people(studio, closing, monkeypatch):
    def fail(*_args):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(feature_thread, "encode", fail)
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    run(pipeline, walkers, 8)
    until(lambda: pipeline.counters["features.failed"] >= 1)
    assert run(pipeline, walkers, 4, 8)[-1].humans


def test_the_thread_is_of_low_priority_and_keeps_the_number_of_threads(studio, closing, gate):
    import os
    import sys

    if not sys.platform.startswith("linux"):
        pytest.skip("priorities of threads are Linux's")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        walkers = Walkers([100.0])
        pipeline = studio.tracker(walkers, niceness=7)
        closing(pipeline)
        run(pipeline, walkers, 6)
        assert gate.entered.wait(PATIENCE_S)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        found = os.getpriority(os.PRIO_PROCESS, gate.threads[0].native_id)
        assert found == min(19, own + 7)
        assert gate.intra_op[0] == 1
    finally:
        torch.set_num_threads(before)


def test_closing_ends_the_thread(studio):
    pipeline = studio.tracker(Walkers([100.0]))
    thread = pipeline._features._thread
    pipeline.close()
    pipeline.close()
    assert not thread.is_alive()


def test_a_held_lock_does_not_hold_the_loop(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    held, done = threading.Event(), threading.Event()

    def hold():
        with pipeline._features._changed:
            held.set()
            done.wait(PATIENCE_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE_S)
    results = run(pipeline, walkers, 5)
    done.set()
    thread.join()
    assert results[-1].humans


def test_where_the_thread_is_too_slow_the_loop_closes_the_gap(studio, closing, gate):
    """People who stay one image behind are taken after a few images all the same."""
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers)
    closing(pipeline)
    results = run(pipeline, walkers, 6)
    assert gate.entered.wait(PATIENCE_S)  # and there the thread stays
    source, stream = pipeline._features, pipeline._stream
    stamp = next(r for r in results if r.humans).stamp_s
    person = features_of(pipeline, stamp)
    branch = begin_branch(stream.stepper, stream.history, stamp, person)
    branch = advance_branch(stream.stepper, stream.history, branch)
    run(pipeline, walkers, 1, 6)
    for frame in range(7, 20):
        source._ready = (branch, stamp)
        branch = advance_branch(stream.stepper, stream.history, branch)
        run(pipeline, walkers, 1, frame)
        if pipeline.counters["features.applied"]:
            break
    assert frame - 7 == feature_thread._MISSES - 1
    assert stream._people[0].image_started


def test_people_who_are_farther_behind_than_is_remembered_are_dropped(studio, closing, gate):
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, max_age_s=0.5)
    closing(pipeline)
    results = run(pipeline, walkers, 6)
    stream = pipeline._stream
    stamp = next(r for r in results if r.humans).stamp_s
    person = features_of(pipeline, stamp)
    branch = begin_branch(stream.stepper, stream.history, stamp, person)
    assert advance_branch(stream.stepper, stream.history, branch) is not None
    run(pipeline, walkers, 30, 6)
    assert advance_branch(stream.stepper, stream.history, branch) is None


def features_of(pipeline, stamp_s):
    """Features of the person who is tracked, by track id."""
    track = pipeline._stream.track_ids[0]
    box = np.array([[100.0, 120.0, 0.9]])
    image = picture(round((stamp_s - 10.0) * 30))
    request = CropRequest(stamp_s, image, (track,), box, 1)
    return encode(pipeline._features._extractor, request)


def test_the_budget_makes_the_encoder_rest(studio, closing, monkeypatch):
    rests = []
    monkeypatch.setattr(
        feature_thread.FeatureThread, "_rest", lambda self, busy_s: rests.append(busy_s)
    )
    ticks = iter(range(1000))
    walkers = Walkers([100.0])
    pipeline = studio.tracker(walkers, budget=0.25)
    pipeline._features._clock = lambda: float(next(ticks))
    closing(pipeline)
    run(pipeline, walkers, 10)
    gate_open = time.monotonic() + PATIENCE_S
    while not rests and time.monotonic() < gate_open:
        run(pipeline, walkers, 1, 10 + int(pipeline._stream.stamp_s * 30 - 300))
    assert rests[0] == 1.0


def test_status_tells_rate_and_age(studio, closing, gate):
    pipeline, walkers, _ = late_start(studio, closing, gate)
    stamp = run(pipeline, walkers, 1, 12)[-1].stamp_s
    status = pipeline.feature_status
    assert status.mode == "thread"
    assert status.rate_hz == pytest.approx(0.2)
    (age,) = status.ages_s.values()
    assert age == pytest.approx(stamp - gate.stamps[0])


def test_flip_averaging_works_with_late_features(studio, closing, gate):
    pipeline, walkers, _ = late_start(
        studio, closing, gate, stream=StreamConfig(flip_averaging=True)
    )
    result = run(pipeline, walkers, 1, 12)[-1]
    assert pipeline.counters["features.applied"] == 1
    assert np.isfinite(result.humans[0].joints_world).all()


def test_a_correction_dies_away_and_adds_up(studio):
    """Half now and half later is all at once."""
    generator = np.random.default_rng(0)
    correction = Correction(*(generator.normal(size=n) for n in ((24, 3), 3, 3, 4)))
    twice, once = correction.after(0.1, 0.15).after(0.2, 0.15), correction.after(0.3, 0.15)
    np.testing.assert_allclose(twice.rotations, once.rotations)
    np.testing.assert_allclose(once.cam, correction.cam * np.exp(-2.0))
    assert not once.negligible
    assert correction.after(5.0, 0.15).negligible
