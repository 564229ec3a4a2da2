"""Features of people in an image: crops, batches, mirrored crops, and what cannot be cropped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from humor_ros.features.crop import crop_people, usable_boxes
from humor_ros.features.decoder import N_BETAS, N_CAMERA
from humor_ros.features.network import Hmr2Encoder
from humor_ros.features.packed import is_packed, pack
from humor_ros.features.values import EncoderOutput
from humor_ros.image_check import check_image
from humor_ros.types import Image

__all__ = ["FeatureExtractor", "ImageFeatures"]


@dataclass(frozen=True)
class ImageFeatures:
    """What one image says of P people, float32 on the CPU.

    Attributes:
        people: one row a box. A row that is not valid has a feature, shape and camera of zeros
            and no rotation at any joint.
        valid: (P,) bool, false where the box could not be used (``crop.usable_boxes``) or the
            encoder's numbers ran over (float16); give it to WHAM as ``feature_mask``, which then
            works without a feature for that frame.
        mirrored: the same of the mirrored crops, not mirrored back; None where not asked for.
    """

    people: EncoderOutput
    valid: Tensor
    mirrored: EncoderOutput | None = None


class FeatureExtractor:
    """Runs an encoder over the people of an image.

    Args:
        encoder: of any precision. It is taken over: moved to ``device``, and packed on a CPU.
        device: where to run.
        max_batch: largest number of crops at a time; it bounds the memory.
        flip: also encode the mirrored crops, for flip averaging; it doubles the work.

    Raises:
        ValueError: an argument is not as stated.
    """

    def __init__(
        self,
        encoder: Hmr2Encoder,
        *,
        device: torch.device | str = "cpu",
        max_batch: int = 8,
        flip: bool = False,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {max_batch}")
        self._device = torch.device(device)
        if self._device.type != "cpu" and is_packed(encoder):
            raise ValueError(f"encoder is packed for the CPU; load it anew for device {device}")
        self._encoder = encoder.to(self._device).eval()
        if self._device.type == "cpu":
            pack(self._encoder)
        self._max_batch = max_batch
        self._flip = flip

    @torch.inference_mode()
    def extract(self, image_bgr: Image, boxes: ArrayLike) -> ImageFeatures:
        """Encode people.

        Args:
            image_bgr: (H, W, 3) uint8.
            boxes: (P, 3) centre x, y (pixels of the image) and side / 200; P may be 0.

        Raises:
            ValueError: the image or the boxes have another shape or type.
        """
        check_image(image_bgr)
        boxes = np.asarray(boxes, dtype=np.float64)
        boxes = boxes.reshape(0, 3) if boxes.size == 0 else boxes
        height, width = image_bgr.shape[:2]
        valid = torch.from_numpy(usable_boxes(boxes, width, height))
        everybody = self.nothing(len(boxes))
        step = max(1, self._max_batch // 2) if self._flip else self._max_batch
        for rows in torch.nonzero(valid)[:, 0].split(step):
            crops = crop_people(image_bgr, boxes[rows.numpy()], self.crop_size)
            found = self.encode_crops(torch.from_numpy(crops))
            valid[rows] = found.valid
            everybody.people.put(rows, found.people)
            if everybody.mirrored is not None and found.mirrored is not None:
                everybody.mirrored.put(rows, found.mirrored)
        return replace(everybody, valid=valid)

    @property
    def crop_size(self) -> int:
        """Side of the square crops that the encoder takes, pixels."""
        return self._encoder.config.vit.img_size[0]

    @property
    def flip(self) -> bool:
        """Whether mirrored crops are encoded, too."""
        return self._flip

    @property
    def feature_size(self) -> int:
        """Numbers of a feature."""
        return self._encoder.config.decoder.dim

    @torch.inference_mode()
    def encode_crops(self, crops: Tensor) -> ImageFeatures:
        """Encode crops of any images, ``max_batch`` at a time.

        Args:
            crops: (P, 3, S, S) normalised, of ``crop_size`` (``crop.crop_people``).

        Returns:
            One row a crop.
        """
        empty = self.nothing(len(crops))
        if not len(crops):
            return empty
        normal, flipped = self._encode(crops)
        good = normal.finite() if flipped is None else normal.finite() & flipped.finite()
        empty.people.put(good, normal.select(good))
        if empty.mirrored is not None and flipped is not None:
            empty.mirrored.put(good, flipped.select(good))
        return replace(empty, valid=good)

    def nothing(self, count: int) -> ImageFeatures:
        """Rows of which none is valid."""
        return ImageFeatures(
            self._nobody(count),
            torch.zeros(count, dtype=torch.bool),
            self._nobody(count) if self._flip else None,
        )

    @torch.inference_mode()
    def read_out(self, features: Tensor) -> EncoderOutput:
        """Bodies that features (P, D) speak of: those of the crops that they were made of."""
        head = self._encoder.smpl_head
        on_device = features.to(self._device, head.init_betas.dtype)
        return EncoderOutput(on_device, *head.read_out(on_device)).to("cpu", torch.float32)

    def _encode(self, crops: Tensor) -> tuple[EncoderOutput, EncoderOutput | None]:
        """Of crops and, where asked for, of their mirror images."""
        count = len(crops)
        crops = crops.to(self._device)
        if self._flip:
            crops = torch.cat((crops, crops.flip(-1)))
        output = EncoderOutput.cat([self._encoder(some) for some in crops.split(self._max_batch)])
        output = output.to("cpu", torch.float32)
        if not self._flip:
            return output, None
        return output.select(slice(0, count)), output.select(slice(count, None))

    def _nobody(self, count: int) -> EncoderOutput:
        """Empty rows."""
        return EncoderOutput(
            feature=torch.zeros(count, self._encoder.config.decoder.dim),
            pose=torch.tensor((1.0, 0.0, 0.0, 0.0, 1.0, 0.0)).repeat(count, 24),
            betas=torch.zeros(count, N_BETAS),
            cam=torch.zeros(count, N_CAMERA),
        )
