"""Fresh LSTMs see signals of unit size."""

from __future__ import annotations

import torch

from humor_ros.training.initial_scale import scale_to_data
from humor_ros.training.synthesis import WindowSource
from humor_ros.wham.network import WhamNetwork


def test_motion_survives_the_stack_of_lstms(tiny, library, body):
    source = WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)
    batch = source.batch(8, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    network = WhamNetwork(tiny.network).eval()

    @torch.no_grad()
    def variation() -> float:
        x = network.preprocess(batch.x, batch.mask)
        embedded = network.motion_encoder.embed_layer(x)
        inputs = torch.cat([embedded, embedded.new_zeros(*x.shape[:2], 51)], -1)
        hidden, _ = network.motion_encoder.regressor.rnn(inputs)
        return float(hidden.std((0, 1)).mean())

    before = variation()
    scale_to_data(network, batch)
    assert variation() > 2 * before


def test_the_embedding_has_unit_deviation(tiny, library, body):
    source = WindowSource(library, body, tiny.data, tiny.camera, tiny.noise)
    batch = source.batch(8, torch.Generator().manual_seed(0))
    network = WhamNetwork(tiny.network).eval()
    scale_to_data(network, batch)
    x = network.preprocess(batch.x, batch.mask)
    embedded = network.motion_encoder.embed_layer(x).flatten(0, 1).detach()
    assert abs(float(embedded.std(0).mean()) - 1) < 0.05
