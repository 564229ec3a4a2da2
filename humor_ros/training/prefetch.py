"""Training batches made ahead by other processes, the same ones whoever makes them.

Batch k of a run depends on the run's seed and k alone, so a run gives the same weights with and
without workers, and continues after an interruption as if there had been none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import multiprocessing

__all__ = ["SEED_STRIDE", "BatchSource", "StepBatches", "batch_of_step", "batches_ahead"]

_Batch = TypeVar("_Batch", covariant=True)
_AHEAD = 4
#: Steps of runs with neighbouring seeds do not share their chance.
SEED_STRIDE = 1_000_003


class BatchSource(Protocol[_Batch]):
    """Makes batches, dataclasses of tensors, reproducibly from a generator."""

    def batch(self, size: int, generator: torch.Generator) -> _Batch:
        """Draw ``size`` windows."""


def batch_of_step(source: BatchSource[_Batch], size: int, seed: int, step: int) -> _Batch:
    """Batch number ``step`` of the run with this seed."""
    generator = torch.Generator().manual_seed(seed * SEED_STRIDE + step)
    return source.batch(size, generator)


def batches_ahead(
    source: BatchSource[_Batch], size: int, seed: int, first_step: int, workers: int
) -> Iterator[_Batch]:
    """Batches from ``first_step`` on, without end.

    Args:
        source: makes them.
        size: windows of each.
        seed: of the run.
        first_step: number of the first batch.
        workers: processes that make them ahead, each with one thread; 0 makes them here.
    """
    if workers == 0:
        step = first_step
        while True:
            yield batch_of_step(source, size, seed, step)
            step += 1
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(_AHEAD) for _ in range(workers)]
    processes = [
        context.Process(
            target=_make,
            args=(source, size, seed, first_step + index, workers, queue),
            daemon=True,
        )
        for index, queue in enumerate(queues)
    ]
    for process in processes:
        process.start()
    try:
        while True:
            for queue in queues:
                # NumPy arrays travel as bytes: shared memory for tensors needs file handles.
                kind, arrays = queue.get()
                yield kind(**{name: torch.from_numpy(v) for name, v in arrays.items()})
    finally:
        for process in processes:
            process.terminate()
            process.join()


class StepBatches(Generic[_Batch]):
    """The batches of a run by the number of the step, made ahead as long as steps follow.

    Args:
        source: makes them.
        size: windows of each.
        seed: of the run.
        workers: see :func:`batches_ahead`.
    """

    def __init__(self, source: BatchSource[_Batch], size: int, seed: int, workers: int) -> None:
        self._arguments = source, size, seed
        self._workers = workers
        self._coming: Iterator[_Batch] = iter(())
        self._next = -1

    def at(self, step: int) -> _Batch:
        """The batch of a step."""
        if step != self._next:
            self._coming = batches_ahead(*self._arguments, step, self._workers)
        self._next = step + 1
        return next(self._coming)


def _make(
    source: BatchSource[Any], size: int, seed: int, first_step: int, stride: int, queue: Any
) -> None:
    torch.set_num_threads(1)
    step = first_step
    while True:
        batch = batch_of_step(source, size, seed, step)
        arrays = {name: value.numpy() for name, value in vars(batch).items()}
        queue.put((type(batch), arrays))
        step += stride
