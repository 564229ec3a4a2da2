"""The image encoder beside the loop, at the rate that it can: the loop never waits for it.

The loop leaves the newest crops and goes on; what the encoder has not taken by the next image is
replaced. What it says of an image is stepped here, in this thread, from the state before that
image to the newest one (``wham.history``), and the loop picks the caught-up people up before its
next step. Neither side holds the lock while it works, and the loop does not even wait for the lock:
where it is taken, the loop leaves crops or picks people up one image later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from humor_ros.features.extractor import FeatureExtractor
from humor_ros.features.feature_report import FeatureStatistics
from humor_ros.features.online import FeatureConfig
from humor_ros.features.person_crops import CropRequest, PersonCrops, encode
from humor_ros.priorities import be_nice
from humor_ros.types import Image, Track
from humor_ros.wham.history import Branch, History, advance_branch, begin_branch
from humor_ros.wham.image_feature import PersonFeature
from humor_ros.wham.stepper import Stepper
from humor_ros.wham.stream import WhamStream

__all__ = ["FeatureThread"]

_log = logging.getLogger(__name__)

#: Where the thread is so slow that it has missed the loop this often (images), the loop steps its
#: people through the last image or two itself: one more network step, for each feature at most.
_MISSES = 6
_GAP_IMAGES = 2
#: Caught-up people are dropped when the loop has not come by for so long, seconds.
_PATIENCE_S = 1.0


class FeatureThread:
    """Runs the encoder in a thread of low priority; see the module.

    The thread computes with the process's number of intra-op threads (``torch.set_num_threads``),
    which the tracker sets to one.

    Args:
        extractor: the encoder; used by this thread alone.
        stepper: of the stream.
        history: of the stream; its span is the longest delay that is made good.
        config: how often, and how much of the time.
        clock: seconds of a monotonic clock, for the budget alone.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        stepper: Stepper,
        history: History,
        config: FeatureConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.statistics = FeatureStatistics()
        self._extractor, self._stepper, self._history = extractor, stepper, history
        self._config, self._clock = config, clock
        self._crops = PersonCrops(config.every, config.max_people)
        self._changed = threading.Condition()
        self._request: CropRequest | None = None
        self._ready: tuple[Branch, float] | None = None
        self._misses = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="encoding", daemon=True)
        self._thread.start()

    # The loop's side

    def correct(self, stream: WhamStream) -> None:
        """Put people who have caught up with the stream on their corrected path."""
        if not self._changed.acquire(blocking=False):
            return
        try:
            ready = self._ready
            if ready is None or not self._within_reach(ready[0], stream.stamp_s):
                return
            self._ready = None
            self._misses = 0
            # What waits to be encoded is of the path that is left now.
            self._drop_request()
            self._changed.notify_all()
        finally:
            self._changed.release()
        image_s = ready[1]
        branch = advance_branch(self._stepper, self._history, ready[0])
        if branch is None or branch.stamp_s != stream.stamp_s:
            self.statistics.counts["gone"] += len(ready[0].track_ids)
            return
        self.statistics.applied(stream.correct(branch), image_s, branch.stamp_s)

    def now(
        self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]
    ) -> Mapping[int, PersonFeature]:
        """Nothing is there at once."""
        return {}

    def stepped(self, stamp_s: float, image_bgr: Image, tracks: Sequence[Track]) -> None:
        """Leave the newest crops, and let people catch up to the image."""
        request = self._crops.request(stamp_s, image_bgr, tracks)
        if not self._changed.acquire(blocking=False):
            self.statistics.counts["replaced"] += 0 if request is None else len(request.track_ids)
            return
        try:
            if request is not None:
                self._drop_request()
                self._request = request
            self._changed.notify_all()
        finally:
            self._changed.release()

    def close(self, timeout_s: float = 30.0) -> None:
        """End the thread after the image in work.

        Args:
            timeout_s: longest wait for it, seconds.
        """
        with self._changed:
            self._closed = True
            self._request = self._ready = None
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _within_reach(self, branch: Branch, stamp_s: float | None) -> bool:
        """Whether people have caught up, or are near enough for the loop after many misses."""
        if branch.stamp_s == stamp_s:
            return True
        self._misses += 1
        behind = {moment.stamp_s for moment in self._history.after(branch.stamp_s)}
        return self._misses >= _MISSES and len(behind) <= _GAP_IMAGES

    def _drop_request(self) -> None:
        if self._request is not None:
            self.statistics.counts["replaced"] += len(self._request.track_ids)
        self._request = None

    # The encoder's side

    def _run(self) -> None:
        be_nice(self._config.niceness)
        while (request := self._next()) is not None:
            start_s = self._clock()
            try:
                self._serve(request)
            except Exception:  # the loop goes on without features, and diagnostics count it
                self.statistics.counts["failed"] += 1
                if self.statistics.counts["failed"] == 1:
                    _log.exception("people of an image could not be encoded")
            self._rest(self._clock() - start_s)

    def _next(self) -> CropRequest | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._request is not None)
            request, self._request = self._request, None
        return None if self._closed else request

    def _serve(self, request: CropRequest) -> None:
        self._crops.taken(request)
        features = encode(self._extractor, request)
        counts = self.statistics.counts
        counts["encoded"] += len(features)
        counts["unusable"] += len(request.track_ids) - len(features)
        branch = begin_branch(self._stepper, self._history, request.stamp_s, features)
        reached = 0 if branch is None else len(branch.track_ids)
        forgotten = not self._history.at(request.stamp_s)
        counts["late" if forgotten else "gone"] += len(features) - reached
        first = True
        while branch is not None and not self._closed:
            caught_up = advance_branch(self._stepper, self._history, branch)
            left = () if caught_up is None else caught_up.track_ids
            forgotten = not self._history.at(branch.stamp_s)
            counts["late" if forgotten else "gone"] += len(branch.track_ids) - len(left)
            if caught_up is None:
                with self._changed:
                    self._ready = None
                return
            branch = self._hand_over(caught_up, request.stamp_s, first)
            first = False

    def _hand_over(self, branch: Branch, image_s: float, first: bool) -> Branch | None:
        """Offer caught-up people to the loop; they come back when it has stepped without them.

        They stay on offer while this thread steps them on, for the loop may come by meanwhile.
        """
        with self._changed:
            if first:
                self._misses = 0
            elif self._ready is None:  # taken while they were stepped on
                return None
            self._ready = (branch, image_s)
            self._changed.wait_for(
                lambda: (
                    self._closed or self._ready is None or self._history.newest_s != branch.stamp_s
                ),
                timeout=_PATIENCE_S,
            )
            if self._ready is None or self._closed:
                return None
            if self._history.newest_s > branch.stamp_s:
                return branch
            self._ready = None  # no image came, or the clock began anew
        self.statistics.counts["gone"] += len(branch.track_ids)
        return None

    def _rest(self, busy_s: float) -> None:
        """Keep to the budget."""
        pause_s = busy_s * (1.0 / self._config.budget - 1.0)
        if pause_s <= 0.0:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=pause_s)
