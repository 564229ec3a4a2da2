"""What one person's stream carries from frame to frame: an explicit, batched value.

The first axis of every tensor is the person, so people join by :meth:`WhamState.cat` and leave
by :meth:`WhamState.select`; nothing is hidden in the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from humor_ros.weight_files import read_arrays

__all__ = ["WhamState"]

_FORMAT = "humor_ros/wham_state/2"


@dataclass(frozen=True)
class WhamState:
    """State of P people between two frames (world and camera are WHAM's: y down).

    Attributes:
        encoder_h, encoder_c: (P, L, d_embed) LSTM state of the motion encoder.
        trajectory_h, trajectory_c: (P, L, d_context) of the trajectory decoder.
        decoder_h, decoder_c: (P, L, d_context) of the motion decoder.
        refiner_h, refiner_c: (P, L', d_refiner) of the trajectory refiner.
        kp3d: (P, 51) previous 3D key-points, mid-hip centred, camera axes, metres.
        root: (P, 6) previous world root orientation, raw 6D, before refinement.
        pose: (P, 144) previous pose, raw 6D, camera frame.
        root_refined: (P, 6) previous refined world root orientation, raw 6D.
        feet: (P, 4, 3) previous feet relative to mid-hip in world axes, metres.
        translation: (P, 3) float64, world position rolled out from the refined velocity.
        translation_unrefined: (P, 3) float64, the same before refinement. Both are float64
            so that sums over hours stay exact.
        smoothed: (P, d_embed) mean of the encoder's embedding; (P, 0) for a network without.
        n_frames: (P,) int64, frames seen; foot velocity is zero at the first.
    """

    encoder_h: Tensor
    encoder_c: Tensor
    trajectory_h: Tensor
    trajectory_c: Tensor
    decoder_h: Tensor
    decoder_c: Tensor
    refiner_h: Tensor
    refiner_c: Tensor
    kp3d: Tensor
    root: Tensor
    pose: Tensor
    root_refined: Tensor
    feet: Tensor
    translation: Tensor
    translation_unrefined: Tensor
    smoothed: Tensor
    n_frames: Tensor

    @property
    def n_people(self) -> int:
        """Number of people P."""
        return int(self.kp3d.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, not copied."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, people: int | Sequence[int] | Tensor) -> WhamState:
        """State of the people at these indices (or where a (P,) bool mask is true), copied."""
        if isinstance(people, int):
            people = [people]
        index = torch.as_tensor(people, device=self.kp3d.device)
        if index.dtype != torch.bool:
            index = index.long()
        return WhamState(**{name: tensor[index] for name, tensor in self.tensors().items()})

    @staticmethod
    def cat(states: Sequence[WhamState]) -> WhamState:
        """One state of all people of several states, in order.

        Raises:
            ValueError: no state is given.
        """
        if not states:
            raise ValueError("states is empty; give at least one WhamState")
        if len(states) == 1:
            return states[0]
        columns = [state.tensors() for state in states]
        return WhamState(**{name: torch.cat([c[name] for c in columns]) for name in columns[0]})

    def split(self) -> list[WhamState]:
        """One state a person."""
        return [self.select(i) for i in range(self.n_people)]

    def detach(self) -> WhamState:
        """The same values without gradient history (between chunks of a long sequence)."""
        return WhamState(**{name: tensor.detach() for name, tensor in self.tensors().items()})

    def clone(self) -> WhamState:
        """A deep copy."""
        return WhamState(**{name: tensor.clone() for name, tensor in self.tensors().items()})

    def save(self, path: str | Path) -> None:
        """Write all people to one flat ``.npz`` file (no pickle)."""
        arrays: dict[str, Any] = {"format": np.array(_FORMAT)}
        for name, tensor in self.tensors().items():
            arrays[name] = tensor.detach().cpu().numpy()
        with Path(path).open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: str | Path, device: torch.device | str = "cpu") -> WhamState:
        """Read :meth:`save` back.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a complete WHAM state.
        """
        arrays = read_arrays(path, "a WHAM state (.npz)")
        if str(arrays.pop("format", "")) != _FORMAT:
            raise ValueError(f"{path} is not a WHAM state of format {_FORMAT}; save it anew")
        names = {field.name for field in fields(cls)}
        if set(arrays) != names:
            wrong = sorted(names ^ set(arrays))
            raise ValueError(f"{path} lacks or has unknown WHAM state entries {wrong}")
        return cls(**{name: torch.from_numpy(a).to(device) for name, a in arrays.items()})
