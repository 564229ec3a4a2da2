"""Rotations between frames of a robot that do not move against each other (``/tf_static``)."""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.spatial.transform import Rotation

from humor_ros.types import Array

__all__ = ["StaticTransforms"]


class StaticTransforms:
    """A graph of fixed rotations, searched along its edges."""

    def __init__(self) -> None:
        self._edges: dict[str, dict[str, Array]] = {}

    def add(self, parent: str, child: str, quaternion_xyzw: Array) -> None:
        """Add a transform as TF has it; one that is no rotation is left out.

        Args:
            parent: frame.
            child: frame.
            quaternion_xyzw: (4,) child axes to parent axes.
        """
        norm = float(np.linalg.norm(quaternion_xyzw))
        if not np.isfinite(norm) or norm < 1e-6:
            return
        rotation: Array = Rotation.from_quat(quaternion_xyzw).as_matrix()
        parent, child = parent.lstrip("/"), child.lstrip("/")
        self._edges.setdefault(parent, {})[child] = rotation
        self._edges.setdefault(child, {})[parent] = rotation.T

    def rotation(self, target: str, source: str) -> Array | None:
        """Rotation between two frames.

        Args:
            target: frame.
            source: frame.

        Returns:
            (3, 3) maps vectors of ``source`` to ``target``; None where they are not connected.
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        if target == source:
            return np.eye(3)
        reached: dict[str, Array] = {target: np.eye(3)}
        queue = deque([target])
        while queue:
            frame = queue.popleft()
            for neighbour, rotation in self._edges.get(frame, {}).items():
                if neighbour in reached:
                    continue
                reached[neighbour] = reached[frame] @ rotation
                if neighbour == source:
                    return reached[neighbour]
                queue.append(neighbour)
        return None
