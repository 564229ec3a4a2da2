"""A small transform buffer for machines without tf2_ros: look-up with interpolation over time.

It holds what this project needs of tf2: static and moving transforms, one parent a child,
look-up between any two connected frames at a time, linear interpolation of the position and
Slerp of the rotation (as tf2 does), no extrapolation.
"""

from __future__ import annotations

import bisect
import threading
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from humor_ros.types import Array

__all__ = ["RigidTransform", "TransformBuffer", "TransformUnavailable"]


class TransformUnavailable(LookupError):
    """Two frames are not connected, or not at the time that was asked for."""


@dataclass(frozen=True)
class RigidTransform:
    """Maps points of a source frame to a target frame: ``p_target = R p_source + t``.

    Attributes:
        rotation: (3, 3).
        translation: (3,) metres.
    """

    rotation: Array
    translation: Array

    @classmethod
    def identity(cls) -> RigidTransform:
        """The transform that changes nothing."""
        return cls(np.eye(3), np.zeros(3))

    def __matmul__(self, other: RigidTransform) -> RigidTransform:
        """``(a @ b)`` maps what ``b`` takes, then ``a``."""
        return RigidTransform(
            self.rotation @ other.rotation, self.rotation @ other.translation + self.translation
        )

    def inverse(self) -> RigidTransform:
        """The transform back."""
        return RigidTransform(self.rotation.T, -self.rotation.T @ self.translation)


@dataclass
class _Link:
    """History of one child in its parent; a static link has one entry without a time."""

    parent: str
    static: bool
    stamps_s: list[float] = field(default_factory=list)
    values: list[tuple[Array, Array]] = field(default_factory=list)  # quaternion xyzw, position


class TransformBuffer:
    """Transforms of the last ``horizon_s`` seconds. Safe to fill and ask from two threads.

    Args:
        horizon_s: how long moving transforms are kept, seconds.
    """

    def __init__(self, horizon_s: float = 10.0) -> None:
        self._horizon_s = horizon_s
        self._links: dict[str, _Link] = {}
        self._lock = threading.Lock()

    def set_transform(
        self,
        parent: str,
        child: str,
        stamp_s: float,
        translation: Array,
        quaternion_xyzw: Array,
        *,
        static: bool = False,
    ) -> bool:
        """Store the pose of ``child`` in ``parent``.

        Returns:
            False, and nothing is stored, when the transform holds NaN or a zero quaternion,
            has an empty name or is its own parent.
        """
        quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
        position = np.asarray(translation, dtype=np.float64)
        norm = float(np.linalg.norm(quaternion))
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            return False
        if not np.isfinite(norm) or norm < 1e-6 or not np.isfinite(position).all():
            return False
        with self._lock:
            link = self._links.get(child)
            if link is None or link.parent != parent or link.static != static:
                link = self._links[child] = _Link(parent, static)
            if static:
                link.stamps_s, link.values = [stamp_s], [(quaternion / norm, position)]
                return True
            index = bisect.bisect_left(link.stamps_s, stamp_s)
            if index < len(link.stamps_s) and link.stamps_s[index] == stamp_s:
                link.values[index] = (quaternion / norm, position)
            else:
                link.stamps_s.insert(index, stamp_s)
                link.values.insert(index, (quaternion / norm, position))
            expired = bisect.bisect_left(link.stamps_s, link.stamps_s[-1] - self._horizon_s)
            del link.stamps_s[:expired], link.values[:expired]
        return True

    def lookup(self, target: str, source: str, stamp_s: float | None) -> RigidTransform:
        """The transform that maps points of ``source`` to ``target``.

        Args:
            target: frame to map to.
            source: frame to map from.
            stamp_s: time of the transform, seconds; None for the newest of each link.

        Raises:
            TransformUnavailable: naming the frames and what is missing.
        """
        with self._lock:
            target_chain = self._chain(target.lstrip("/"))
            source_chain = self._chain(source.lstrip("/"))
            common = next((frame for frame in source_chain if frame in target_chain), None)
            if common is None:
                raise TransformUnavailable(
                    f"no transform connects {target!r} and {source!r}; publish one on /tf or "
                    "/tf_static"
                )
            up = self._compose(source_chain[: source_chain.index(common)], stamp_s)
            down = self._compose(target_chain[: target_chain.index(common)], stamp_s)
        return down.inverse() @ up

    def newest_stamp(self, target: str, source: str) -> float:
        """Time up to which :meth:`lookup` can answer; infinity for static chains.

        Raises:
            TransformUnavailable: if the frames are not connected.
        """
        with self._lock:
            target_chain = self._chain(target.lstrip("/"))
            source_chain = self._chain(source.lstrip("/"))
            common = next((frame for frame in source_chain if frame in target_chain), None)
            if common is None:
                raise TransformUnavailable(f"no transform connects {target!r} and {source!r}")
            frames = [
                *source_chain[: source_chain.index(common)],
                *target_chain[: target_chain.index(common)],
            ]
            links = [self._links[frame] for frame in frames]
            moving = [link.stamps_s[-1] for link in links if not link.static]
        return min(moving, default=float("inf"))

    def clear(self) -> None:
        """Forget moving transforms (a jump of the clock); static ones stay."""
        with self._lock:
            self._links = {name: link for name, link in self._links.items() if link.static}

    def _chain(self, frame: str) -> list[str]:
        chain = [frame]
        while frame in self._links and len(chain) <= len(self._links):
            frame = self._links[frame].parent
            chain.append(frame)
        return chain

    def _compose(self, frames: list[str], stamp_s: float | None) -> RigidTransform:
        total = RigidTransform.identity()
        for frame in frames:
            total = self._at(frame, stamp_s) @ total
        return total

    def _at(self, child: str, stamp_s: float | None) -> RigidTransform:
        link = self._links[child]
        stamps = link.stamps_s
        if link.static or stamp_s is None:
            return _rigid(*link.values[-1])
        index = bisect.bisect_left(stamps, stamp_s)
        if index < len(stamps) and stamps[index] == stamp_s:
            return _rigid(*link.values[index])
        if index == 0 or index == len(stamps):
            side = "before the oldest" if index == 0 else "after the newest"
            edge = stamps[0] if index == 0 else stamps[-1]
            raise TransformUnavailable(
                f"transform {link.parent!r} <- {child!r} is asked for at {stamp_s:.3f} s, "
                f"{side} ({edge:.3f} s)"
            )
        (quaternion_a, position_a), (quaternion_b, position_b) = link.values[index - 1 : index + 1]
        share = (stamp_s - stamps[index - 1]) / (stamps[index] - stamps[index - 1])
        turn = Slerp([0.0, 1.0], Rotation.from_quat(np.stack((quaternion_a, quaternion_b))))
        position = (1.0 - share) * position_a + share * position_b
        return RigidTransform(turn(share).as_matrix(), position)


def _rigid(quaternion_xyzw: Array, position: Array) -> RigidTransform:
    return RigidTransform(Rotation.from_quat(quaternion_xyzw).as_matrix(), position)
