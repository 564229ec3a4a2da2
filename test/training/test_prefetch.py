"""Batches made ahead are the batches of their steps, whoever makes them."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from humor_ros.training.prefetch import batch_of_step, batches_ahead
from humor_ros.training.synthesis import WindowSource


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_no_batch(tiny, library, body, workers):
    source = WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)
    ahead = batches_ahead(source, 3, seed=5, first_step=2, workers=workers)
    for step, batch in zip((2, 3, 4), islice(ahead, 3), strict=True):
        for name, value in vars(batch_of_step(source, 3, 5, step)).items():
            assert torch.equal(getattr(batch, name), value), name
    ahead.close()


def test_steps_and_seeds_differ(tiny, library, body):
    source = WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)
    first = batch_of_step(source, 3, 5, 0)
    for other in (batch_of_step(source, 3, 5, 1), batch_of_step(source, 3, 6, 0)):
        assert not torch.equal(first.x, other.x)
