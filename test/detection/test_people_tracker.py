"""People keep their ids on a painted stage, whatever happens on it."""

from __future__ import annotations

import numpy as np
import pytest

from humor_ros.detection.boxes import keypoint_box
from humor_ros.types import Detection, TrackingState

TRACKED, TENTATIVE = TrackingState.TRACKED, TrackingState.TENTATIVE
OCCLUDED, LOST = TrackingState.OCCLUDED, TrackingState.LOST


def standing_at(x, y=240.0):
    return lambda _: (x, y)


def ids(tracks, *states):
    return sorted(t.track_id for t in tracks if not states or t.state in states)


def test_a_newcomer_is_tentative_until_confirmed(stage, actor):
    stage.actors = [actor(standing_at(300))]
    played = stage.run(stage.tracker(), 5)
    assert [t.state for t in played[0]] == [TENTATIVE]
    assert [t.state for t in played[4]] == [TRACKED]


def test_one_person_costs_one_crop_an_image_and_few_searches(stage, actor):
    stage.actors = [actor(standing_at(300))]
    stage.run(stage.tracker(detect_every_frames=10), 101)
    assert max(stage.crops) == 1
    assert stage.searches <= 13


def test_an_empty_stage_is_searched_at_intervals_and_gives_nobody(stage):
    played = stage.run(stage.tracker(search_every_frames=2), 20)
    assert played == [[]] * 20
    assert stage.searches == 10


def test_keypoints_of_a_tracked_person_are_as_measured(stage, actor):
    stage.actors = [actor(standing_at(300))]
    stage.noise_px = 0.0
    track = stage.run(stage.tracker(), 10)[-1][0]
    np.testing.assert_array_equal(track.keypoints, stage.actors[0].keypoints(stage.stamp_s))


def test_ids_survive_a_crossing_at_different_depths(stage, actor):
    stage.actors = [
        actor(lambda t: (150 + 120 * t, 240), (200, 60, 40), depth=0.0),
        actor(lambda t: (470 - 120 * t, 240), (40, 60, 200), depth=1.0),
    ]
    tracker = stage.tracker()
    before = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 20)[-1]}
    middle = stage.run(tracker, 30)
    after = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 30)[-1]}
    assert any(ids(tracks, OCCLUDED) for tracks in middle)
    assert len(before) == 2
    assert after == before


def test_ids_survive_a_meeting_after_which_both_turn_back(stage, actor):
    """Motion alone would exchange them: both stop behind each other and walk back."""

    def there_and_back(start, speed):
        return lambda t: (start + speed * (t if t < 1.2 else 2.4 - t), 240)

    stage.actors = [
        actor(there_and_back(170, 110), (200, 60, 40), depth=0.0),
        actor(there_and_back(450, -120), (40, 200, 60), depth=1.0),
    ]
    tracker = stage.tracker(reid_window_s=2.0)
    before = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 15)[-1]}
    after = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 60)[-1]}
    assert after == before


def test_colours_undo_an_exchange_of_ids(stage, actor):
    """Two people swap places while neither is seen: only their clothes tell."""
    gap = (1.0, 1.4)

    def seen(t):
        return not gap[0] <= t < gap[1]

    stage.actors = [
        actor(lambda t: (260 if t < gap[0] else 340, 240), (200, 60, 40), present=seen),
        actor(lambda t: (340 if t < gap[0] else 260, 240), (40, 200, 60), present=seen),
    ]
    tracker = stage.tracker()
    before = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 28)[-1]}
    after = {t.track_id: stage.actor_of(t) for t in stage.run(tracker, 30)[-1]}
    assert len(before) == 2
    assert after == before


def test_a_short_occlusion_keeps_the_id_and_counts_it(stage, actor):
    stage.actors = [actor(standing_at(300), present=lambda t: not 1.0 <= t < 1.6)]
    tracker = stage.tracker()
    played = stage.run(tracker, 80)
    assert {i for tracks in played for i in ids(tracks)} == {1}
    assert played[40][0].state is OCCLUDED
    assert played[-1][0].state is TRACKED
    assert tracker.counters["reidentified"] == 1


def test_an_occluded_person_is_predicted_without_confidence(stage, actor):
    stage.actors = [actor(standing_at(300), present=lambda t: t < 1.0)]
    track = stage.run(stage.tracker(), 45)[-1][0]
    assert track.state is OCCLUDED
    assert track.keypoints[:, 2].max() == 0.0
    np.testing.assert_allclose(track.keypoints[11:13, 0].mean(), 300, atol=15)
    assert track.unseen_s == pytest.approx(stage.stamp_s - 29 / 30, abs=1e-6)


def test_a_person_gone_for_longer_than_the_window_is_lost_once(stage, actor):
    stage.actors = [actor(standing_at(300), present=lambda t: t < 1.0)]
    played = stage.run(stage.tracker(reid_window_s=0.5), 60)
    assert sum(len(ids(tracks, LOST)) for tracks in played) == 1
    assert played[-1] == []


def test_ids_are_never_used_again(stage, actor):
    stage.actors = [actor(standing_at(300), present=lambda t: int(t) % 2 == 0)]
    tracker = stage.tracker(reid_window_s=0.3)
    played = stage.run(tracker, 140)
    tracker.reset()
    played += stage.run(tracker, 60)
    first_seen = {}
    for number, tracks in enumerate(played):
        for track in tracks:
            first_seen.setdefault(track.track_id, number)
    assert sorted(first_seen) == [1, 2, 3, 4, 5]
    assert list(first_seen.values()) == sorted(first_seen.values())


def test_people_over_the_cap_are_counted_and_left_out(stage, actor):
    stage.actors = [actor(standing_at(80 + 120 * i), height=150) for i in range(5)]
    tracker = stage.tracker(max_people=3)
    played = stage.run(tracker, 12)
    assert max(len(tracks) for tracks in played) == 3
    assert tracker.counters["dropped_over_cap"] >= 2


def test_twenty_people_are_followed_with_few_crops_an_image(stage, actor):
    stage.actors = [
        actor(standing_at(60 + 130 * (i % 5), 70 + 115 * (i // 5)), height=100) for i in range(20)
    ]
    played = stage.run(stage.tracker(max_people=20, max_refines_per_frame=4), 12)
    assert len(ids(played[-1], TRACKED)) == 20
    assert max(stage.crops) <= 4


def test_a_whole_body_swap_is_mended(stage, actor):
    stage.actors = [actor(standing_at(300))]
    stage.noise_px = 0.0
    flip = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
    stage.spoil = lambda k, t: k[flip] if 1.0 <= t < 1.1 else k
    tracker = stage.tracker()
    for tracks in stage.run(tracker, 40)[5:]:
        assert tracks[0].keypoints[5, 0] > tracks[0].keypoints[6, 0]
    assert tracker.counters["swaps_mended"] == 3


def test_a_swap_that_the_detector_insists_on_is_believed(stage, actor):
    stage.actors = [actor(standing_at(300))]
    flip = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
    stage.spoil = lambda k, t: k[flip] if t >= 1.0 else k
    tracker = stage.tracker(swap_hold_s=0.3)
    track = stage.run(tracker, 60)[-1][0]
    assert track.keypoints[5, 0] < track.keypoints[6, 0]
    assert tracker.counters["swaps_believed"] == 1


def test_a_teleporting_joint_loses_confidence(stage, actor):
    stage.actors = [actor(standing_at(300))]

    def spoil(keypoints, t):
        if 1.0 <= t < 1.03:
            keypoints[9, :2] += (-150.0, -120.0)
        return keypoints

    stage.spoil = spoil
    tracker = stage.tracker()
    played = stage.run(tracker, 32)
    assert played[30][0].keypoints[9, 2] < 0.4
    assert played[31][0].keypoints[9, 2] > 0.8
    assert tracker.counters["joints_damped"] == 1


def test_a_crop_that_jumps_to_somebody_else_is_rejected(stage, actor):
    stage.actors = [actor(standing_at(200)), actor(standing_at(330))]
    tracker = stage.tracker()
    stage.run(tracker, 10)
    other = stage.actors[1]
    stage.spoil = lambda k, t: other.keypoints(t) if t < 11 / 30 else k
    during = stage.run(tracker, 1)[0]
    after = stage.run(tracker, 5)[-1]
    assert len(ids(during, TRACKED)) == 1
    assert tracker.counters["jumps_rejected"] + tracker.counters.get("duplicates", 0) >= 1
    assert {t.track_id: stage.actor_of(t) for t in after} == {1: 0, 2: 1}


def test_a_crop_that_explodes_in_size_is_rejected(stage, actor):
    stage.actors = [actor(standing_at(300), height=120)]
    tracker = stage.tracker()
    stage.run(tracker, 10)

    def spoil(keypoints, t):
        if t < 11 / 30:
            keypoints[:, :2] = (keypoints[:, :2] - (300, 240)) * 3.0 + (300, 240)
        return keypoints

    stage.spoil = spoil
    assert stage.run(tracker, 1)[0][0].state is OCCLUDED
    assert tracker.counters["jumps_rejected"] == 1
    assert stage.run(tracker, 4)[-1][0].state is TRACKED


def with_a_ghost(stage, x):
    """A detector that sees somebody more at ``x``, half hidden."""
    found = stage.detect

    def twice(image):
        first = found(image)
        ghost = stage.actors[0].keypoints(stage.stamp_s)
        ghost[:, :2] = (ghost[:, :2] - (300, 240)) * (0.8, 0.6) + (x, 250)
        return [*first, type(first[0])(keypoint_box(ghost), 0.4, ghost)]

    return twice


def test_a_ghost_that_no_crop_shows_is_never_confirmed(stage, actor, monkeypatch):
    stage.actors = [actor(standing_at(300))]
    monkeypatch.setattr(stage, "detect", with_a_ghost(stage, 400))
    for tracks in stage.run(stage.tracker(), 30)[4:]:
        assert ids(tracks, TRACKED) == [1]


def test_two_boxes_on_one_person_become_one(stage, actor, monkeypatch):
    stage.actors = [actor(standing_at(300))]
    stage.boxes_only = True
    found = stage.detect

    def halves(image):
        whole = found(image)[0].box_xyxy
        middle = whole[[1, 3]].mean()
        upper, lower = whole.copy(), whole.copy()
        upper[3], lower[1] = middle, middle
        return [Detection(upper, 0.8), Detection(lower, 0.7)]

    monkeypatch.setattr(stage, "detect", halves)
    tracker = stage.tracker()
    played = stage.run(tracker, 20)
    assert all(ids(tracks) == [1] for tracks in played)
    assert tracker.counters["merged"] >= 1


def test_a_ghost_that_no_search_supports_is_never_confirmed(stage, actor, monkeypatch):
    stage.actors = [actor(standing_at(300))]
    found = stage.detect

    def once(image):
        detections = found(image)
        if stage.searches == 1:
            ghost = stage.actors[0].keypoints(stage.stamp_s) + np.array([220.0, 0.0, -0.4])
            box = detections[0].box_xyxy + np.array([220.0, 0.0, 220.0, 0.0])
            detections.append(type(detections[0])(box, 0.3, ghost))
        return detections

    monkeypatch.setattr(stage, "detect", once)
    played = stage.run(stage.tracker(), 30)
    assert ids(played[-1]) == [1]
    assert all(2 not in ids(tracks, TRACKED) for tracks in played)


def test_a_detector_of_boxes_only_works_too(stage, actor):
    stage.actors = [actor(standing_at(200)), actor(standing_at(400))]
    stage.boxes_only = True
    assert ids(stage.run(stage.tracker(), 10)[-1], TRACKED) == [1, 2]


def test_a_change_of_scale_keeps_ids(stage, actor):
    stage.actors = [actor(standing_at(300))]
    tracker = stage.tracker()
    stage.run(tracker, 10)
    stage.size = (1280, 960)
    stage.actors = [actor(standing_at(600, 480), height=400)]
    after = stage.run(tracker, 5)
    assert [ids(tracks, TRACKED) for tracks in after] == [[1]] * 5
    assert tracker.counters["resolution_changes"] == 1


def test_a_change_of_shape_starts_anew_with_new_ids(stage, actor):
    stage.actors = [actor(standing_at(240))]
    tracker = stage.tracker()
    stage.run(tracker, 10)
    stage.size = (480, 640)
    assert ids(stage.run(tracker, 5)[-1]) == [2]


def test_a_long_gap_is_bridged_by_a_search(stage, actor):
    stage.actors = [actor(lambda t: (200 + 100 * t, 240))]
    tracker = stage.tracker()
    stage.run(tracker, 10)
    searches = stage.searches
    stage.frame += 20
    assert ids(stage.run(tracker, 1)[-1], TRACKED) == [1]
    assert stage.searches == searches + 1


@pytest.mark.parametrize("fps", [3.0, 10.0, 15.0, 60.0])
def test_other_frame_rates_follow_a_walker_too(stage, actor, fps):
    stage.fps = fps
    stage.actors = [actor(lambda t: (120 + 130 * t, 240))]
    played = stage.run(stage.tracker(), max(int(2.5 * fps), 7))
    assert {i for tracks in played for i in ids(tracks)} == {1}
    assert all(tracks[0].state is TRACKED for tracks in played[4:])


def test_jittered_stamps_keep_the_id(stage, actor):
    stage.actors = [actor(lambda t: (120 + 130 * t, 240))]
    tracker, random = stage.tracker(), np.random.default_rng(1)
    seen = set()
    for number in range(60):
        stage.stamp_s = number / 30 + random.uniform(0.0, 0.025)
        seen |= {t.track_id for t in tracker.update(stage.image(), stage.stamp_s)}
    assert seen == {1}


@pytest.mark.parametrize("stamp_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_stamp_that_does_not_advance_is_refused_by_name(stage, stamp_s):
    tracker = stage.tracker()
    tracker.update(stage.image(), 0.0)
    with pytest.raises(ValueError, match="stamp_s"):
        tracker.update(stage.image(), stamp_s)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((0, 640, 3), np.uint8),
        None,
    ],
)
def test_a_wrong_image_is_refused_by_name_and_harms_nobody(stage, actor, image):
    stage.actors = [actor(standing_at(300))]
    tracker = stage.tracker()
    stage.run(tracker, 5)
    with pytest.raises(ValueError, match="image_bgr"):
        tracker.update(image, 5 / 30)
    assert ids(stage.run(tracker, 1)[-1], TRACKED) == [1]


def test_people_who_lie_are_shown_upright_to_the_network(stage, actor, monkeypatch):
    class Lying(actor):
        def keypoints(self, stamp_s):
            upright = super().keypoints(stamp_s)
            centre = np.array(self.path(stamp_s))
            turned = (upright[:, :2] - centre) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + centre
            return np.column_stack([turned, upright[:, 2]])

    stage.actors = [Lying(standing_at(300))]
    turns = []
    refine = stage.refine

    def watch(image, boxes, quarter_turns=None):
        turns.append(quarter_turns)
        return refine(image, boxes)

    monkeypatch.setattr(stage, "refine", watch)
    tracker = stage.tracker()
    stage.run(tracker, 6)
    assert turns[-1] == [1]
    assert tracker.counters["crops_turned"] >= 4
