"""Tells images that come late from a clock that was set back."""

from __future__ import annotations

import math

__all__ = ["LateImages"]

#: A step back in time of more than this is a restarted clock, not a late image.
_RESTART_S = 1.0
#: More images than this in a row are no late ones: the clock was set back by less, or a recording
#: of less than a second starts again and again.
_MOST = 10


class LateImages:
    """Watches over images of a stream whose stamp is not later than that of the newest one."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """An image was taken: the stream goes on."""
        self._count, self._last_s = 0, math.nan

    def expect_restart(self) -> None:
        """The stream has ended: the next image with an earlier stamp is the first of another."""
        self._count = _MOST

    def starts_anew(self, stamp_s: float, newest_s: float) -> bool:
        """Whether an image is the first one by another clock; else it is late, to be left out.

        Args:
            stamp_s: of the image, seconds; at most ``newest_s``.
            newest_s: latest stamp of the images that were taken, seconds.
        """
        if newest_s - stamp_s > _RESTART_S:
            return True
        if stamp_s not in (newest_s, self._last_s):  # the same image again tells nothing
            self._count += 1
        self._last_s = stamp_s
        return self._count > _MOST
