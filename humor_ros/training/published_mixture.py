"""Batches drawn from several data sets in fixed shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch

from humor_ros.training.published_batch import PublishedBatch

__all__ = ["ClipSource", "Mixture"]


class ClipSource(Protocol):
    """Makes clips; the same state of the generator gives the same clips."""

    @property
    def windows(self) -> int:
        """Number of windows of an epoch."""

    def batch(self, size: int, generator: torch.Generator) -> PublishedBatch:
        """Draw clips."""


class Mixture:
    """A source whose clips come from several others.

    Args:
        sources: by name.
        shares: of each name in ``sources``; need not sum to one.

    Raises:
        ValueError: a source has no share, or none is positive.
    """

    def __init__(self, sources: Mapping[str, ClipSource], shares: Mapping[str, float]) -> None:
        missing = sorted(set(sources) - set(shares))
        if missing:
            raise ValueError(f"no share is given for the sources {missing}")
        self._names = tuple(sources)
        self._sources = dict(sources)
        self._shares = torch.tensor([float(shares[name]) for name in self._names])
        if not self._names or float(self._shares.sum()) <= 0:
            raise ValueError("no source has a positive share")

    @property
    def windows(self) -> int:
        """Windows of all sources together."""
        return sum(source.windows for source in self._sources.values())

    def batch(self, size: int, generator: torch.Generator) -> PublishedBatch:
        """Draw the source of each clip by the shares, then the clips, source by source."""
        chosen = torch.multinomial(self._shares, size, replacement=True, generator=generator)
        counts = torch.bincount(chosen, minlength=len(self._names)).tolist()
        return PublishedBatch.cat(
            [
                self._sources[name].batch(count, generator)
                for name, count in zip(self._names, counts, strict=True)
                if count
            ]
        )
