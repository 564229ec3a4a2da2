"""How sure a forecast is: the covariance of where the root will be.

The prior is surer of itself than it should be, and most errors are changes of mind, which no
sample shows. So the samples' covariance is widened by what errors on val were; see the card of the
packaged prior for what chose the sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from humor_ros.field_checks import AT_LEAST_0, POSITIVE, check_fields

__all__ = ["OBSERVED_PATH", "PLAIN", "WITH_PATH", "Region"]


@dataclass(frozen=True)
class Region:
    """Sizes of a region.

    Attributes:
        samples: factor on the samples' deviations.
        floor_m: deviation of a root place at the start, metres.
        growth_m: what it gains in the first second, metres, and ``growth_s`` what it gains for
            each m/s that the joints move at.
        growth_wander: the same for each metre that the root was away in the last second.
        power: of time that this gain grows with: more than 1 (errors of the speed) and less than
            2 (changes of it).
        along: how much larger that deviation is along the way than across, as a part of it.
        apart: deviation for each metre that path network and roll-outs are apart, that way.

    Raises:
        ValueError: on construction, naming a value that is negative, or a floor of nothing.
    """

    samples: float
    floor_m: float
    growth_m: float
    growth_s: float
    power: float
    growth_wander: float = 0.0
    along: float = 0.0
    apart: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_0, *(entry.name for entry in fields(self)))
        check_fields(self, POSITIVE, "floor_m")

    def covariance(
        self,
        samples: Tensor,
        speed: Tensor,
        wander: Tensor,
        time: Tensor,
        way: Tensor,
        apart: Tensor,
    ) -> Tensor:
        """(B, K, 3, 3) of root places, m².

        Args:
            samples: (B, S, K, 3) roots of samples.
            speed: (B, 1) mean of the joints', m/s.
            wander: (B, 1) farthest from the newest place in the last second, metres.
            time: (K,) seconds ahead.
            way: (B, K, 3) from the newest to the told place.
            apart: (B, K, 3) between what path network and roll-outs tell.
        """
        spread = samples - samples.mean(dim=1, keepdim=True)
        count = samples.shape[1] - 1
        sampled = torch.einsum("bski,bskj->bkij", spread, spread) * (self.samples**2 / count)
        growth = self.growth_m + self.growth_s * speed + self.growth_wander * wander
        growth = growth * time**self.power
        least = (self.floor_m + growth).square()[..., None, None]
        level = way * way.new_tensor([1.0, 1.0, 0.0])
        level = level / level.norm(dim=-1, keepdim=True).clamp_min(_NOWHERE_M)
        shape = torch.eye(3, dtype=time.dtype) + self.along**2 * _outer(level)
        return sampled + least * shape + self.apart**2 * _outer(apart)


#: A way of this length has no direction.
_NOWHERE_M = 1e-3
#: Of roll-outs alone.
PLAIN = Region(samples=1.0, floor_m=0.0005, growth_m=0.004, growth_s=0.305, power=1.4)
#: With the path network, from true states.
WITH_PATH = Region(
    samples=1.0,
    floor_m=0.0003,
    growth_m=0.003,
    growth_s=0.182,
    power=1.48,
    growth_wander=0.18,
    along=0.25,
    apart=1.0,
)
#: With the path network, from the states of a smoother.
OBSERVED_PATH = Region(
    samples=1.0,
    floor_m=0.0003,
    growth_m=0.001,
    growth_s=0.279,
    power=0.865,
    growth_wander=0.161,
    along=0.10,
    apart=0.94,
)


def _outer(vectors: Tensor) -> Tensor:
    return vectors[..., :, None] * vectors[..., None, :]
