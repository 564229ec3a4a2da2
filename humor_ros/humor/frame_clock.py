"""Where images stand among the frames of 30 a second that the networks were made for, online."""

from __future__ import annotations

from humor_ros.humor.state import FRAME_RATE

__all__ = ["FrameClock"]

#: An image this near to a frame, in frames, is that frame, while the camera keeps step.
_NEAR = 0.25
#: Mean error of the step (rate) and mean size of it (jitter), in frames, of a camera in step.
_RATE_ERROR, _JITTER = 0.04, 0.15
#: How fast those means follow.
_SHARE = 0.2


class FrameClock:
    """Gives each image of one person a place among frames, counted from the first image.

    A camera of 30 Hz, or one whose images are missing at times, is taken as it is: its jitter is
    not the body's, so that an image stands on a frame exactly. Images of another rate stand
    between frames.
    """

    def __init__(self) -> None:
        self._stamp_s = 0.0
        self._place: float | None = None
        self._rate_error = 0.0
        self._jitter = 0.0

    @property
    def in_step(self) -> bool:
        """Whether images come at 30 Hz, some missing."""
        return abs(self._rate_error) < _RATE_ERROR and self._jitter < _JITTER

    def place(self, stamp_s: float) -> float:
        """Place of the next image.

        Args:
            stamp_s: of the image, later than the one before, seconds.

        Returns:
            Frames since the first image; larger than at the call before.

        Raises:
            ValueError: the stamp is not later.
        """
        if self._place is None:
            self._stamp_s, self._place = stamp_s, 0.0
            return 0.0
        frames = (stamp_s - self._stamp_s) * FRAME_RATE
        if not frames > 0.0:
            raise ValueError(f"stamp_s must be later than {self._stamp_s}, got {stamp_s}")
        error = frames - max(1, round(frames))
        self._rate_error += _SHARE * (error - self._rate_error)
        self._jitter += _SHARE * (abs(error) - self._jitter)
        place = self._place + frames
        whole = round(place)
        if self.in_step and abs(place - whole) <= _NEAR and whole > self._place:
            place = float(whole)
        self._stamp_s, self._place = stamp_s, place
        return place
