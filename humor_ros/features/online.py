"""Settings of the image encoder in the tracker, and the encoder that they name."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from humor_ros.features.checkpoint import load_encoder
from humor_ros.features.config import FULL_SIZE, EncoderConfig
from humor_ros.features.extractor import FeatureExtractor
from humor_ros.field_checks import (
    AT_LEAST_1,
    POSITIVE,
    POSITIVE_SHARE,
    check_fields,
    one_of,
    within,
)

__all__ = ["DTYPES", "FeatureConfig", "load_extractor"]

_log = logging.getLogger(__name__)

#: Types of the computation by name; see ``precision.FEATURE_BOUNDS`` for what each changes.
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class FeatureConfig:
    """Which encoder runs on which people, how often and where.

    Attributes:
        encoder: HMR2 checkpoint.
        sizes: JSON of the encoder's sizes; None for the published ones.
        background: encode in a thread beside the loop, which never waits for it; False encodes
            within the loop, so that the same images always give the same people (offline).
        every: a person is encoded at most at every so many processed images.
        budget: share of the time that the thread may be busy, in (0, 1].
        max_people: people encoded of one image in the background; who waits longest goes first.
        max_age_s: a feature that comes later than this after its image is dropped.
        dtype: type of the computation: ``float32``, ``bfloat16`` or ``float16``.
        device: ``cpu``, ``cuda`` or another of PyTorch's.
        niceness: of the thread, 0 to 19 (Linux; elsewhere it has the process's).
    """

    encoder: Path
    sizes: Path | None = None
    background: bool = True
    every: int = 1
    budget: float = 1.0
    max_people: int = 4
    max_age_s: float = 2.0
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"
    niceness: int = 10

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_1, "every", "max_people")
        check_fields(self, POSITIVE, "max_age_s")
        check_fields(self, POSITIVE_SHARE, "budget")
        check_fields(self, one_of(*DTYPES), "dtype")
        check_fields(self, within(0, 19), "niceness")


def load_extractor(config: FeatureConfig, feature_size: int, flip: bool) -> FeatureExtractor:
    """The encoder that the settings name, ready for people.

    Args:
        config: settings.
        feature_size: numbers of a feature that WHAM's integrator takes.
        flip: encode the mirrored crops, too.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is not what it should be, the device cannot be used, or the encoder
            does not fit WHAM's weights; the message names the file or argument.
    """
    if not config.encoder.is_file():
        raise FileNotFoundError(
            f"no image encoder at {config.encoder}; give the path of an HMR2.0a checkpoint"
        )
    sizes = EncoderConfig.from_file(config.sizes) if config.sizes is not None else FULL_SIZE
    if sizes.decoder.dim != feature_size:
        raise ValueError(
            f"the image encoder {config.encoder} gives features of {sizes.decoder.dim} numbers "
            f"and the WHAM weights take {feature_size}; give WHAM weights that were trained with "
            "this encoder (the packaged ones were trained without images)"
        )
    device = _usable_device(config.device)
    encoder, release = load_encoder(config.encoder, sizes, dtype=DTYPES[config.dtype])
    _log.info("image encoder %s (%s) on %s", config.encoder, release.value, device)
    return FeatureExtractor(encoder, device=device, flip=flip)


def _usable_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"the image encoder cannot run on device {name!r}: {str(error).splitlines()[0]}; "
            "give cpu, or a device that this PyTorch can use"
        ) from error
    return device
