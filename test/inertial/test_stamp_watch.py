"""Stamps against arrival: jumps of a clock, bursts, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.inertial.gyro_accel import GyroAccelMerger
from humor_ros.inertial.stamp_watch import ClockPair, StampWatch


def feed(watch, stamps, offset_s=0.0, late_s=0.002):
    for stamp_s in stamps:
        watch.note(stamp_s + offset_s, stamp_s + late_s)


@pytest.mark.parametrize("jump_s", [5.0, -5.0, 0.8, -0.8, 3600.0])
def test_a_jump_of_the_clock_is_counted_once_with_its_size(jump_s):
    watch = StampWatch(5)
    feed(watch, np.arange(0, 2, 0.005))
    feed(watch, np.arange(2, 4, 0.005), jump_s)
    assert watch.jumps == 1
    assert watch.jumped_s == pytest.approx(jump_s, abs=0.02)
    feed(watch, np.arange(4, 6, 0.005))
    assert watch.jumps == 2
    assert watch.jumped_s == pytest.approx(0.0, abs=0.02)


def test_single_stamps_from_elsewhere_are_no_jump():
    watch = StampWatch(5)
    for index in range(400):
        watch.note(index / 200 + (1e4 if index % 50 == 7 else 0.0), index / 200)
    assert watch.jumps == 0


def test_a_gap_and_a_stall_of_the_reader_are_no_jump():
    watch = StampWatch(5)
    feed(watch, np.arange(0, 2, 0.005))
    feed(watch, np.arange(5, 6, 0.005))  # nothing for three seconds
    for stamp_s in np.arange(6, 8, 0.005):  # read two seconds later, all at once
        watch.note(stamp_s, 16.0)
    feed(watch, np.arange(16, 17, 0.005))
    assert watch.jumps == 0
    assert watch.bursts == 1


def test_a_burst_is_many_samples_late_at_once():
    watch = StampWatch(5)
    feed(watch, np.arange(0, 1, 0.005))
    for stamp_s in np.arange(1, 1.5, 0.005):
        watch.note(stamp_s, 1.5)
    feed(watch, np.arange(1.51, 2, 0.005))
    assert watch.bursts == 1
    assert watch.jumps == 0


def test_small_batches_are_no_burst():
    watch = StampWatch(5)
    for batch in range(50):
        for sample in range(8):
            watch.note((8 * batch + sample) / 200, (8 * batch + 7) / 200)
    assert watch.bursts == 0


def test_clocks_that_jump_together_stay_together():
    clocks = ClockPair()
    for index in range(600):
        now_s = index / 200
        offset_s = 100.0 if now_s > 1.5 else 0.0
        clocks.imu.note(now_s + offset_s, now_s)
        if index % 6 == 0:
            clocks.note_image(now_s + offset_s, now_s)
    assert clocks.apart_s == 0.0
    assert clocks.imu.jumps == clocks.images.jumps == 1


@pytest.mark.parametrize("jump_s", [500.0, -500.0])
def test_a_slow_player_changes_nothing_of_that(jump_s):
    """A tenth of real time, batches of samples before each image."""
    clocks = ClockPair()
    for image in range(40):
        stamp_s = 0.1 * image + (jump_s if image >= 20 else 0.0)
        for sample in range(10):
            clocks.imu.note(stamp_s + 0.01 * sample, image + 0.001 * sample)
        clocks.note_image(stamp_s + 0.1, image + 0.5)
    assert clocks.imu.jumps == clocks.images.jumps == 1
    assert clocks.apart_s == 0.0


def test_a_clock_that_jumps_alone_is_apart_until_it_comes_back():
    clocks = ClockPair()
    seen = {}
    for index in range(1200):
        now_s = index / 200
        clocks.imu.note(now_s + (7.0 if 2.0 < now_s < 4.0 else 0.0), now_s)
        if index % 6 == 0:
            clocks.note_image(now_s, now_s)
        seen[index] = clocks.apart_s
    assert seen[399] == 0.0
    assert seen[600] == pytest.approx(7.0, abs=0.01)
    assert seen[1199] == 0.0


def test_clocks_that_fit_again_without_a_jump_are_healed():
    clocks = ClockPair()
    clocks.imu.jumped_s = 9.0  # thought so by mistake
    for index in range(100):
        clocks.imu.note(index / 30, index / 30)
        clocks.note_image(index / 30, index / 30)
    assert clocks.apart_s == 0.0


def test_accelerations_are_interpolated_to_the_gyroscopes_stamps():
    merger = GyroAccelMerger()
    stamps = np.arange(0, 1, 1 / 62.5)
    merger.add_accelerations(stamps, [np.array([s, 2 * s, -s]) for s in stamps])
    gyro = np.arange(0.004, 0.9, 1 / 400)
    samples = merger.samples(gyro, [np.array([s, 0, 0]) for s in gyro])
    for stamp_s, sample in zip(gyro, samples, strict=True):
        assert sample.stamp_s == stamp_s
        np.testing.assert_allclose(sample.linear_acceleration, stamp_s * np.array([1, 2, -1]))
    assert merger.bare == 0


def test_newer_rates_pass_at_once_and_gaps_are_not_bridged():
    merger = GyroAccelMerger()
    merger.add_accelerations([0.0, 0.01, 0.5], [np.ones(3)] * 3)
    samples = merger.samples([0.005, 0.2, 0.6], [np.zeros(3)] * 3)
    assert [sample.linear_acceleration is None for sample in samples] == [False, True, True]
    assert merger.bare == 2


def test_accelerations_of_a_clock_that_was_set_back_start_anew():
    merger = GyroAccelMerger()
    merger.add_accelerations([100.0, 100.01, 100.005], [np.ones(3)] * 3)
    merger.add_accelerations([1.0, 1.01], [np.full(3, 2.0)] * 2)
    (sample,) = merger.samples([1.005], [np.zeros(3)])
    np.testing.assert_allclose(sample.linear_acceleration, 2.0)
