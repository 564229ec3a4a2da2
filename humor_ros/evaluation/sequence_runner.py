"""Runs WHAM over a sequence: as published, or as the tracker's stream does. Both are causal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from humor_ros.body import BodyModel
from humor_ros.evaluation.sequence_motion import RunSettings, SequenceMotion
from humor_ros.evaluation.sequence_published import run_published
from humor_ros.evaluation.sequence_stream import run_stream
from humor_ros.training.sequence_file import PersonSequence
from humor_ros.wham.network import WhamNetwork
from humor_ros.wham.resampling import MIN_INTERVAL_S, NETWORK_RATE_HZ
from humor_ros.wham.runner import prepare_for_streaming

__all__ = ["RunSettings", "SequenceMotion", "at_network_rate", "run_sequence"]


def at_network_rate(sequence: PersonSequence) -> PersonSequence:
    """Every frame that is at least 22 ms after the one before, as the tracker takes them."""
    if len(sequence) < 2 or np.median(np.diff(sequence.stamp_s)) >= MIN_INTERVAL_S:
        return sequence
    step = max(1, round(sequence.fps / NETWORK_RATE_HZ))
    return replace(sequence.select(slice(None, None, step)), fps=sequence.fps / step)


def run_sequence(
    network: WhamNetwork, body: BodyModel, sequence: PersonSequence, settings: RunSettings
) -> SequenceMotion:
    """Say the motion of the person of a sequence, frame after frame.

    Args:
        network: in evaluation mode, packed or not.
        body: of the network's shape space.
        sequence: T frames, each stepped once: leave out before what shall not be seen.
        settings: how.

    Raises:
        ValueError: the sequence's image features do not fit the network.
    """
    with torch.inference_mode():
        if settings.mode == "stream":
            return run_stream(network, body, sequence, settings)
        return run_published(prepare_for_streaming(network), body, sequence, settings)
