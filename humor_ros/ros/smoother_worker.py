"""The smoother's threads: one takes messages in and tells forecasts, one solves and rolls out.

The executor only queues. Whoever has something to tell publishes it, one at a time and in order.
Solving and rolling out share a thread: two of thousands of small operations each hand Python's
lock to and fro, and on a busy machine whoever has a low priority waits for every hand-over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from humor_ros.humor.online import ImageRejected, OnlineSmoother
from humor_ros.humor.outlook import Outlook
from humor_ros.msg import HumanStates
from humor_ros.priorities import be_nice
from humor_ros.ros.diagnostics import FrameTimes
from humor_ros.ros.message_queue import MessageQueue
from humor_ros.ros.reports import Reporter
from humor_ros.ros.smoother_input import SmootherInput
from humor_ros.ros.smoother_outputs import SmootherOutputs

__all__ = ["SmootherWorker"]

_log = logging.getLogger(__name__)

#: Without a message for this time everybody is told to the end, seconds.
_SILENCE_S = 3.0
_WAKE_S = 0.25


class SmootherWorker:
    """Owns the online smoother and the outlook while the node is active.

    Args:
        smoother: of people.
        outlook: forecasts; None without them.
        messages: converts what comes in.
        outputs: publishers.
        reporter: tells of trouble.
        values: the node's parameters by name.
    """

    def __init__(
        self,
        smoother: OnlineSmoother,
        outlook: Outlook | None,
        messages: SmootherInput,
        outputs: SmootherOutputs,
        reporter: Reporter,
        values: Mapping[str, Any],
    ) -> None:
        self._smoother, self._outlook = smoother, outlook
        self._input, self._outputs, self._reporter = messages, outputs, reporter
        self._period_s = 1.0 / values["forecast.rate"]
        self._budget = values["forecast.budget"]
        self._lock = threading.Lock()  # of the smoother
        self._publishing = threading.Lock()  # taken before the other, so that images stay in order
        self._untold = threading.Event()  # somebody may have made images ready
        self._stale = False  # what is drawn is of a stream that has ended
        self._due = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self.queue: MessageQueue[HumanStates] = MessageQueue(values["queue"])
        self.times = FrameTimes()  # told images: latency, and the look-ahead in place of busy time
        self.hops = FrameTimes()  # hops: their iterations in place of latency, and their time
        self.forecasts = FrameTimes()  # forecasts: age of the roll-out, time to make the message
        self.roll_outs = FrameTimes()  # roll-outs: people in place of latency, and their time
        self.message_at_s = float("-inf")
        self._renew_at_s = float("-inf")
        loops = {"taking in": (self._take_in, 0), "solving": (self._work, values["niceness"])}
        self._threads = [
            threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
            for name, arguments in loops.items()
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End the threads after what they are at.

        Returns:
            Whether they have ended in time.
        """
        self._stopping.set()
        self.queue.close()
        with self._due:
            self._due.notify_all()
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def snapshot(self) -> dict[str, Any]:
        """State of the smoother for diagnostics, taken at one moment."""
        with self._lock:
            smoother = self._smoother
            people = smoother.people
            return {
                "people": len(people),
                "people_smoothed": sum(person.admitted for person in people),
                "people_at_most": smoother.pace.capacity,
                "people_off_the_ground": sum(person.other_level for person in people),
                "paused": smoother.paused,
                "images_waiting": smoother.waiting,
                "frames_behind": max((p.pending for p in people if p.admitted), default=0),
                "ground": smoother.ground.mean(),
                "counts": dict(smoother.counts),
            }

    def _run(self, loop: Callable[[], None], niceness: int) -> None:
        """One thread: alive whatever a message brings about; solving gives way to messages."""
        be_nice(niceness)
        while not self._stopping.is_set():
            try:
                loop()
            except Exception as error:
                told = self._reporter.say(
                    "smoothing_failed",
                    f"people could not be smoothed: {type(error).__name__}: {error}; everybody is "
                    "smoothed anew",
                )
                if told:
                    _log.exception("while smoothing")
                with self._lock:
                    self._smoother.reset()
                    self._stale = True

    def _take_in(self) -> None:
        next_s = time.monotonic()
        while not self._stopping.is_set():
            now_s = time.monotonic()
            message = self.queue.take(min(_WAKE_S, next_s - now_s if self._outlook else _WAKE_S))
            now_s = time.monotonic()
            if message is not None:
                self.message_at_s = now_s
                self._add(message)
            elif now_s - self.message_at_s > _SILENCE_S:
                self.message_at_s = float("inf")
                self._close_all()
            if self._outlook is not None and now_s >= next_s:
                next_s = max(next_s + self._period_s, now_s)
                self._foretell(self._look, self._outlook)

    def _add(self, message: HumanStates) -> None:
        if not message.humans and not message.world_frame:
            self._close_all()  # the tracker was stopped or started anew
            return
        image = self._input.image(message)
        if image is None:
            return
        try:
            with self._due:
                resets = self._smoother.counts["resets"]
                self._smoother.add(image)
                reset = self._smoother.counts["resets"] > resets
                self._stale |= reset
                self._due.notify_all()
        except ImageRejected as error:
            self._reporter.say(
                f"images_{error.kind}", f"topic humans: an image is left out: {error}"
            )
            return
        if reset:
            self._reporter.say(
                "resets",
                "topic humans: stamps went back and go on from there, or the world is another one; "
                "everybody is smoothed anew",
            )
        self._tell()

    def _close_all(self) -> None:
        with self._due:
            self._smoother.close_all()
            self._due.notify_all()
        self._tell()

    def _work(self) -> None:
        """One roll-out, or one hop; waits while neither is due."""
        if self._outlook is not None and time.monotonic() >= self._renew_at_s:
            self._foretell(self._foresee, self._outlook)
        with self._due:
            hop = self._smoother.begin_hop()
            if hop is None:
                until_s = self._renew_at_s - time.monotonic() if self._outlook else _WAKE_S
                self._due.wait(min(_WAKE_S, max(0.001, until_s)))
                return
        hop.solve()
        with self._lock:
            self._smoother.end_hop(hop)
        now_s = time.monotonic()
        if hop.report is None:
            self._reporter.say(
                "hops_failed",
                f"person {hop.person.name}: a window could not be solved ({hop.error}); the "
                "tracker's motion is told, and smoothing starts afresh",
            )
        else:
            self.hops.add(now_s, float(hop.report.iterations), hop.report.seconds)
        self._tell()

    def _tell(self) -> None:
        """Publish what is ready; images stay in order because one thread at a time does it.

        Nobody waits for whoever is at it: that thread looks again before it leaves.
        """
        self._untold.set()
        while self._untold.is_set() and self._publishing.acquire(blocking=False):
            try:
                self._untold.clear()
                self._publish()
            finally:
                self._publishing.release()

    def _publish(self) -> None:
        with self._lock:
            images = self._smoother.ready()
            ground = self._smoother.ground.mean() if images else None
            people, frames = self._smoother.ground.people, self._smoother.ground.frames
            stale, self._stale = self._stale, False
        if stale:
            self._outputs.wipe()
        for image in images:
            latency_s = self._outputs.publish(image)
            lags = [human.lag_s for human in image.humans if human.smoothed]
            self.times.add(time.monotonic(), latency_s, max(lags, default=0.0))
        if images and ground is not None:
            self._outputs.publish_ground(images[-1].image, ground, people, frames)

    def _foretell(self, work: Callable[[Outlook], None], outlook: Outlook) -> None:
        """Do it; forecasts that fail are missing, and people are smoothed all the same."""
        try:
            work(outlook)
        except Exception as error:
            told = self._reporter.say(
                "forecasts_failed",
                f"forecasts could not be made: {type(error).__name__}: {error}; people are "
                "smoothed all the same",
            )
            if told:
                _log.exception("while foreseeing")

    def _foresee(self, outlook: Outlook) -> None:
        """Renew the roll-outs, as often as their share of the time allows."""
        self._renew_at_s = time.monotonic() + _WAKE_S
        if not self._outputs.forecasts_wanted:
            return
        with self._lock:
            people = self._smoother.newest_motions()
            grounds = [self._smoother.ground_height(motion) for motion in people]
        started_s, used_s = time.monotonic(), time.thread_time()
        outlook.renew(people, grounds)
        now_s = time.monotonic()
        if people:
            self.roll_outs.add(now_s, float(len(people)), now_s - started_s)
        # Waiting for a processor takes time from nobody, and is no reason to wait longer.
        used_s = time.thread_time() - used_s
        self._renew_at_s = now_s + max(0.02, used_s * (1.0 / self._budget - 1.0))

    def _look(self, outlook: Outlook) -> None:
        """Publish the forecasts from the newest image."""
        if not self._outputs.forecasts_wanted:
            return
        with self._lock:
            image = self._smoother.newest
            people = self._smoother.newest_motions()
        if image is None or self.message_at_s == float("inf"):
            return
        started_s = time.monotonic()
        told = [forecast for person in people if (forecast := outlook.look(person)) is not None]
        if len(told) < len(people):
            self._renew_at_s = started_s  # a newcomer does not wait for the next renewal
        self._outputs.publish_forecasts(image, told, outlook.config.horizon_s)
        age_s = max((forecast.age_s for forecast in told), default=0.0)
        now_s = time.monotonic()
        self.forecasts.add(now_s, age_s, now_s - started_s)
