"""Feet that stand hold the body: displacement of the hips from the feet that do not move.

WHAM takes the slip of standing feet out of the root's velocity under its own guess of the world
orientation (paper, section 3.4). Where an IMU gives that orientation, the slip is another one and
is taken out once more, here, under the orientation that is told.
"""

from __future__ import annotations

import numpy as np

from humor_ros.types import Array

__all__ = ["held_displacement", "standing_weights"]

#: Contact from which a foot begins to hold, and from which it holds fully, about the published
#: threshold of 0.5; in between, so that a foot that comes down makes no jerk.
_BEGINS, _HOLDS = 0.35, 0.65


def standing_weights(contacts: Array, contacts_before: Array) -> Array:
    """How much each foot stands between two images, (K,) in [0, 1].

    Args:
        contacts, contacts_before: (K,) contact probabilities at both images.
    """
    both = np.minimum(contacts, contacts_before)
    weights: Array = np.clip((both - _BEGINS) / (_HOLDS - _BEGINS), 0.0, 1.0)
    return weights


def held_displacement(
    displacement: Array, feet: Array, feet_before: Array, weights: Array
) -> Array:
    """Displacement of the mid-hip with the mean slip of the standing feet taken out.

    Args:
        displacement: (3,) of the mid-hip between the images as the network says, world, metres.
        feet, feet_before: (K, 3) from the mid-hip at both images, world axes, metres.
        weights: (K,) of :func:`standing_weights`.

    Returns:
        (3,) metres; the network's where no foot stands.
    """
    total = float(weights.sum())
    if total <= 0.0:
        return displacement
    slip = feet - feet_before + displacement
    held: Array = displacement - float(weights.max()) * (weights @ slip) / total
    return held
