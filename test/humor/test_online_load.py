"""The online smoother on a processor that is too slow: who is left out, and for how long."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stream_cases import image_of, stream_of
from track_cases import person

from humor_ros.body import BodyModel
from humor_ros.humor.hop import Hop
from humor_ros.humor.online import OnlineSmoother
from humor_ros.humor.online_config import OnlineConfig
from humor_ros.humor.seen import SeenImage
from humor_ros.humor.window_config import WindowConfig

FAST = WindowConfig(frames=14, hop=4, lag=3, iterations=1, cold_iterations=1)
#: What a hop of that window may take while one person is smoothed in time: 11 frames.
MOST_S = 11 / 30


class SlowMachine:
    """Gives images in their own time, on which a hop takes a given time."""

    def __init__(self, body: BodyModel, hop_s: float) -> None:
        self.smoother = OnlineSmoother(None, body, OnlineConfig(FAST, max_people=4, max_lag_s=1.0))
        self.hop_s = hop_s
        self._hop: Hop | None = None
        self._free_s = 0.0
        self.smoothed: list[str] = []

    def play(self, images: list[SeenImage]) -> None:
        for image in images:
            self.smoother.add(image)
            self._work(image.stamp_s)
            self.smoothed += [
                human.state.person_id
                for told in self.smoother.ready()
                for human in told.humans
                if human.smoothed
            ]

    def _work(self, now_s: float) -> None:
        if self._hop is not None and now_s >= self._free_s:
            hop, self._hop = self._hop, None
            hop.solve()
            assert hop.report is not None
            hop.report = replace(hop.report, seconds=self.hop_s)
            self.smoother.end_hop(hop)
        if self._hop is None:
            self._hop = self.smoother.begin_hop()
            self._free_s = now_s + self.hop_s


def people(body: BodyModel, count: int, frames: int) -> list[SeenImage]:
    return stream_of(
        *(person(body, frames, name=f"aaaa{chr(97 + i)}", seed=i) for i in range(count))
    )


def test_where_two_are_too_many_the_first_is_smoothed_in_time(free_body: BodyModel) -> None:
    slow = SlowMachine(free_body, 0.8 * MOST_S)
    slow.play(people(free_body, 2, 150))
    assert slow.smoother.counts["people_shed"] >= 1
    assert slow.smoother.counts["pauses"] == 0
    late = slow.smoothed[len(slow.smoothed) // 2 :]
    assert late.count("aaaaa") > 5 * late.count("aaaab")
    assert [p.admitted for p in slow.smoother.people] == [True, False]


def test_a_fast_machine_keeps_everybody(free_body: BodyModel) -> None:
    fast = SlowMachine(free_body, 0.2 * MOST_S)
    fast.play(people(free_body, 3, 60))
    assert fast.smoother.counts["people_shed"] == 0
    assert all(p.admitted for p in fast.smoother.people)


def test_where_one_is_too_many_nobody_is_tried_for_longer_and_longer(
    free_body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humor_ros.humor.pace._HOLD_S", 0.5)
    slow = SlowMachine(free_body, 3.0 * MOST_S)
    images = people(free_body, 1, 400)
    until: list[float] = []
    for image in images:
        slow.play([image])
        until.append(slow.smoother._paused_until_s)
        assert slow.smoother.paused == (image.stamp_s < until[-1])
    begun = np.unique(np.array(until)[np.isfinite(until)])
    assert slow.smoother.counts["pauses"] == len(begun) >= 2
    paused = [
        next(image.stamp_s for image, end in zip(images, until, strict=True) if end == moment)
        for moment in begun
    ]
    lengths = begun - np.array(paused)
    np.testing.assert_allclose(lengths, 0.5 * 2.0 ** np.arange(len(begun)), atol=0.04)
    assert slow.smoother.waiting <= 32  # nobody waits for whoever is not smoothed


def test_a_machine_that_has_time_again_smooths_again(
    free_body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humor_ros.humor.pace._HOLD_S", 0.3)
    machine = SlowMachine(free_body, 3.0 * MOST_S)
    images = people(free_body, 1, 260)
    machine.play(images[:100])
    assert machine.smoother.counts["pauses"] >= 1
    machine.hop_s = 0.1 * MOST_S
    machine.play(images[100:])
    assert machine.smoother.people[0].admitted
    assert machine.smoother.pace._pauses == 0
    assert machine.smoothed[-1] == "aaaaa"


def test_a_first_window_tells_what_hops_will_take(free_body: BodyModel) -> None:
    machine = SlowMachine(free_body, 1.0)
    machine.play(people(free_body, 1, 40))
    assert machine.smoother.counts["hops"] == 1
    assert machine.smoother.pace.hop_s == pytest.approx(0.4)


def test_nobody_is_solved_for_whose_images_are_all_told(free_body: BodyModel) -> None:
    smoother = OnlineSmoother(None, free_body, OnlineConfig(FAST, max_lag_s=1.0))
    images = people(free_body, 1, 8)
    for image in images:
        smoother.add(image)
    smoother.close_all()
    for index in range(40):  # nothing was solved, and by now all has been told
        smoother.add(image_of(images[-1].stamp_s + (index + 1) / 30))
    assert len(smoother.ready()) >= 8
    assert smoother.begin_hop() is None
    assert smoother.counts["hops"] == 0
