"""HuMoR's nine contacts and the tracker's four: which foot point stands for which joint."""

from __future__ import annotations

import torch
from torch import Tensor

from humor_ros.humor.state import NUM_CONTACTS

__all__ = ["FEET_IN_NINE", "nine_from_soles", "soles_from_nine"]

#: Place among ``CONTACT_NAMES`` of left toe, left heel, right toe, right heel: toe bases and feet
#: (SMPL's ankles, whose contact is that of the heel).
FEET_IN_NINE = (5, 3, 6, 4)


def nine_from_soles(contacts: Tensor) -> Tensor:
    """(..., 9) contacts of which only the feet's are known, from (..., 4) of toes and heels."""
    nine = contacts.new_zeros(*contacts.shape[:-1], NUM_CONTACTS)
    nine[..., torch.tensor(FEET_IN_NINE)] = contacts
    return nine


def soles_from_nine(contacts: Tensor) -> Tensor:
    """(..., 4) contacts of toes and heels among nine (..., 9)."""
    return contacts[..., torch.tensor(FEET_IN_NINE)]
