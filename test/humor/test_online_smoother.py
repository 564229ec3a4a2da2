"""The smoother online: who is told when, under load and with bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stream_cases import human_of, image_of, stream_of
from track_cases import person

from humor_ros.body import BodyModel
from humor_ros.humor.hop import Hop
from humor_ros.humor.online import ImageRejected, OnlineSmoother
from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.refined_image import RefinedImage
from humor_ros.humor.seen import SeenImage
from humor_ros.humor.window_config import WindowConfig
from humor_ros.types import TrackingState

FAST = WindowConfig(frames=14, hop=4, lag=3, iterations=1, cold_iterations=1)
CONFIG = OnlineConfig(FAST, max_people=2, max_lag_s=1.0)


@pytest.fixture
def smoother(free_body: BodyModel) -> OnlineSmoother:
    return OnlineSmoother(None, free_body, CONFIG)


def work(smoother: OnlineSmoother) -> None:
    while (hop := smoother.begin_hop()) is not None:
        hop.solve()
        assert not hop.error
        smoother.end_hop(hop)


def run(smoother: OnlineSmoother, images: list[SeenImage], *, close: bool = True) -> list:
    """Give all images, solving whenever a hop is due."""
    told: list[RefinedImage] = []
    for image in images:
        smoother.add(image)
        work(smoother)
        told += smoother.ready()
    if close:
        smoother.close_all()
        work(smoother)
        told += smoother.ready()
    return told


def stamps(told: list[RefinedImage]) -> list[float]:
    return [entry.image.stamp_s for entry in told]


def test_every_image_is_told_once_in_order_with_its_stamp(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 30))
    told = run(smoother, images)
    assert stamps(told) == [image.stamp_s for image in images]
    assert all(human.smoothed for entry in told for human in entry.humans)
    assert smoother.waiting == 0


def test_the_lag_is_told_and_is_at_least_that_of_the_window(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    told = run(smoother, stream_of(person(free_body, 30)))
    lags = np.array([entry.humans[0].lag_s for entry in told]) * 30
    assert (lags[: -FAST.lag] >= FAST.lag).all()
    assert lags.max() < FAST.frames
    assert lags[-1] == 0


def test_refined_people_shake_less_and_fit_together(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = person(free_body, 40)
    told = run(smoother, stream_of(rows))
    joints = np.stack([entry.humans[0].state.joints_world for entry in told])

    def roughness(values: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(values, 3, axis=0), axis=-1).mean())

    assert roughness(joints) < 0.6 * roughness(rows["joints_world"])
    state, image = told[12].humans[0].state, told[12].image
    np.testing.assert_allclose(state.joints_world[0], state.root_position_world)
    np.testing.assert_allclose(
        state.joints_camera @ image.rotation_world_camera.T + image.position_world_camera,
        state.joints_world,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        image.rotation_world_camera @ state.root_orientation_camera,
        state.root_orientation_world,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        told[12].humans[0].contact_positions9[1], state.joints_world[4], atol=1e-9
    )


def test_images_of_another_rate_are_told_at_their_own_stamps(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = person(free_body, 30)
    rows["stamp_s"] = np.arange(30) / 25.0
    images = stream_of(rows)
    told = run(smoother, images)
    assert stamps(told) == [image.stamp_s for image in images]
    away = [
        entry.humans[0].state.root_position_world - human_of(rows, i).root_position_world
        for i, entry in enumerate(told)
    ]
    assert np.linalg.norm(away, axis=-1).max() < 0.08


def test_people_beyond_the_limit_are_told_as_tracked_without_holding_others_up(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    people = [person(free_body, 16, name=f"aaaa{c}", seed=i) for i, c in enumerate("abc")]
    told = run(smoother, stream_of(*people))
    assert len(told) == 16
    assert [human.smoothed for human in told[-1].humans] == [True, True, False]
    np.testing.assert_array_equal(
        told[5].humans[2].state.joints_world, human_of(people[2], 5).joints_world
    )


def test_twenty_people_are_all_told_and_share_one_ground(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    people = [person(free_body, 12, name=f"aaaa{chr(97 + i)}", seed=i) for i in range(20)]
    told = run(smoother, stream_of(*people))
    assert [len(entry.humans) for entry in told] == [20] * 12
    assert smoother.ground.people == CONFIG.max_people


def test_whoever_stands_on_something_keeps_a_ground_of_its_own(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    low, high = person(free_body, 16), person(free_body, 16, name="bbbbb", seed=3)
    for key in ("root_position_world", "joints_world", "contact_positions_world"):
        high[key][..., 2] += 1.5
    told = run(smoother, stream_of(low, high))
    assert smoother.counts["people_on_other_levels"] == 1
    ground = smoother.ground.mean()
    assert ground is not None
    assert abs(float(ground[0])) < 0.1
    away = told[-1].humans[1].state.root_position_world - high["root_position_world"][-1]
    assert np.linalg.norm(away) < 0.1


def test_refined_people_stay_in_the_image_where_the_trackers_world_drifts(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = person(free_body, 16, noise=0.0)
    drift = np.array([0.3, 0.0, 0.0])
    rows["root_position_world"] += drift
    rows["joints_world"] += drift
    told = run(smoother, stream_of(rows))
    away = told[8].humans[0].state.root_position_camera - rows["root_position_camera"][8]
    assert np.linalg.norm(away) < 0.05


def test_an_image_waits_no_longer_than_the_limit_for_a_solution(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 60))
    told = run(smoother, images[:7], close=False)
    for image in images[7:]:
        smoother.add(image)
        smoother.begin_hop()  # and never ends
        told += smoother.ready()
    assert smoother.waiting <= CONFIG.max_lag_s * 30 + 1
    assert not any(entry.humans[0].smoothed for entry in told)
    assert smoother.counts["images_told_late"] > 0


def test_nobody_falls_further_behind_than_the_limit(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    for image in stream_of(person(free_body, 60)):
        smoother.add(image)
    assert smoother.counts["people_shed"] == 1
    assert not smoother.people[0].admitted
    assert len(smoother.ready()) == 60


def test_hops_are_skipped_when_several_are_due_and_this_is_counted(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 40))
    told = run(smoother, images[:12], close=False)
    for image in images[12:]:
        smoother.add(image)
    hop = smoother.begin_hop()
    assert hop is not None
    assert hop.seen.frames == FAST.frames - FAST.lag
    assert smoother.counts["hops_skipped"] == 1
    hop.solve()
    smoother.end_hop(hop)
    work(smoother)
    told += smoother.ready()
    assert stamps(told) == [image.stamp_s for image in images[: len(told)]]


def test_a_person_who_fell_behind_is_smoothed_again_later(
    smoother: OnlineSmoother, free_body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humor_ros.humor.pace._HOLD_S", 0.3)
    images = stream_of(person(free_body, 90))
    run(smoother, images[:12], close=False)
    for image in images[12:46]:
        smoother.add(image)
        smoother.ready()
    assert smoother.counts["people_shed"] == 1
    told = run(smoother, images[46:], close=False)
    assert smoother.people[0].admitted
    assert told[-1].humans[0].smoothed


def test_a_solver_that_fails_is_counted_and_the_person_goes_on(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 30))
    run(smoother, images[:12], close=False)
    smoother.add(images[12])
    smoother.add(images[13])
    hop: Hop | None = None
    for image in images[14:18]:
        smoother.add(image)
        hop = hop or smoother.begin_hop()
    assert hop is not None
    hop.window.advance = _broken  # type: ignore[method-assign, assignment]
    hop.solve()
    assert "ValueError: no" in hop.error
    smoother.end_hop(hop)
    assert smoother.counts["hops_failed"] == 1
    told = smoother.ready() + run(smoother, images[18:])
    assert stamps(told)[-1] == images[-1].stamp_s
    assert told[-1].humans[0].smoothed


def _broken(*_: object, **__: object) -> None:
    raise ValueError("no")


def test_somebody_who_is_lost_is_told_to_the_end_and_said_to_be_lost(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 20))
    lost = replace(images[-1].humans[0], tracking_state=TrackingState.LOST)
    images.append(image_of(images[-1].stamp_s + 1 / 30, lost))
    told = run(smoother, images, close=False)
    assert stamps(told) == [image.stamp_s for image in images]
    assert all(entry.humans[0].smoothed for entry in told[:-1])
    assert told[-1].humans[0].state.tracking_state is TrackingState.LOST
    assert smoother.people == []


def test_somebody_who_vanishes_without_a_word_is_told_to_the_end(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 20))
    empty = [image_of(images[-1].stamp_s + (i + 1) / 30) for i in range(20)]
    told = run(smoother, images + empty, close=False)
    assert len(told) == 40
    assert all(entry.humans[0].smoothed for entry in told[:20])
    assert smoother.counts["people_vanished"] == 1


def test_a_stay_of_a_few_images_is_told_as_tracked(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    told = run(smoother, stream_of(person(free_body, 2)))
    assert [entry.humans[0].smoothed for entry in told] == [False, False]
    assert smoother.counts["short_stays"] == 1


@pytest.mark.parametrize(("back_s", "kind"), [(0.0, "stamp_twice"), (0.3, "stamp_reversed")])
def test_a_stamp_that_is_not_later_is_refused(
    smoother: OnlineSmoother, free_body: BodyModel, back_s: float, kind: str
) -> None:
    images = stream_of(person(free_body, 15))
    run(smoother, images, close=False)
    with pytest.raises(ImageRejected, match="only later ones") as caught:
        smoother.add(replace(images[0], stamp_s=images[-1].stamp_s - back_s))
    assert caught.value.kind == kind


@pytest.mark.parametrize("change", [{"stamp_s": 1.0}, {"world_frame": "odom"}])
def test_a_restarted_clock_and_another_world_start_everything_anew(
    smoother: OnlineSmoother, free_body: BodyModel, change: dict
) -> None:
    images = stream_of(person(free_body, 15))
    run(smoother, images, close=False)
    smoother.add(replace(images[-1], **({"stamp_s": images[-1].stamp_s + 0.1} | change)))
    assert smoother.counts["resets"] == 1
    assert smoother.waiting == 1


def test_a_clock_that_is_set_back_a_little_does_not_stop_the_stream(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 45))
    run(smoother, images[:30], close=False)
    back = [replace(image, stamp_s=image.stamp_s - 0.8) for image in images[30:]]
    for image in back[:10]:
        with pytest.raises(ImageRejected):
            smoother.add(image)
    smoother.add(back[10])
    assert smoother.counts["resets"] == 1
    assert smoother.newest is back[10]


def test_earlier_images_after_the_end_of_a_stream_are_another_one(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 15))
    run(smoother, images)
    with pytest.raises(ImageRejected):
        smoother.add(images[-1])
    smoother.add(images[-3])
    assert smoother.counts["resets"] == 1
    assert smoother.newest is images[-3]


def test_the_same_stamp_again_and_again_is_no_new_stream(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 15))
    run(smoother, images, close=False)
    for _ in range(40):
        with pytest.raises(ImageRejected):
            smoother.add(images[-3])
    assert smoother.counts["resets"] == 0


def test_a_hop_that_was_overtaken_by_a_reset_is_dropped(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    images = stream_of(person(free_body, 12))
    for image in images:
        smoother.add(image)
    hop = smoother.begin_hop()
    assert hop is not None
    smoother.reset()
    hop.solve()
    smoother.end_hop(hop)
    assert smoother.ready() == []
    assert smoother.ground.people == 0


def test_a_gap_is_bridged_and_a_long_one_starts_afresh(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = person(free_body, 45)
    shift = np.repeat([0.0, 0.4, 10.0], 15)
    rows["stamp_s"] = rows["stamp_s"] + shift
    images = stream_of(rows)
    told = run(smoother, images)
    assert stamps(told) == [image.stamp_s for image in images]
    assert smoother.counts["long_gaps"] == 1
    assert smoother.counts["cold_starts"] == 2


def test_somebody_who_is_there_twice_counts_once(
    smoother: OnlineSmoother, free_body: BodyModel
) -> None:
    rows = person(free_body, 3)
    told = run(smoother, stream_of(rows, rows))
    assert smoother.counts["people_twice"] == 3
    assert len(told) == 3


def test_nobody_is_told_at_once(smoother: OnlineSmoother) -> None:
    smoother.add(image_of(1.0))
    assert [entry.humans for entry in smoother.ready()] == [()]


def test_memory_stays_bounded(smoother: OnlineSmoother, free_body: BodyModel) -> None:
    images = stream_of(person(free_body, 80))
    run(smoother, images, close=False)
    only = smoother.people[0]
    assert len(only.rows) < 60
    assert only.window is not None
    assert only.window.reports == []


@pytest.mark.parametrize("bad", [{"max_people": 0}, {"max_lag_s": 0.1}, {"max_lag_s": 1e3}])
def test_bad_settings_are_named(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        OnlineConfig(FAST, **bad)
