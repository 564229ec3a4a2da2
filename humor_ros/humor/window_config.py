"""Settings of the real-time solver: what each source of knowledge is worth."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from humor_ros.field_checks import AT_LEAST_0, AT_LEAST_1, POSITIVE, SHARE, check_fields, within

__all__ = ["TransitionNoise", "WindowConfig", "WindowWeights"]


@dataclass(frozen=True)
class TransitionNoise:
    """Standard deviation of what the decoder leaves unexplained of one transition.

    Attributes:
        trans: m; trans_vel: m/s; root: rad; root_vel: rad/s; pose: rad; joints: m;
            joints_vel: m/s.
    """

    trans: float = 0.003
    trans_vel: float = 0.05
    root: float = 0.012
    root_vel: float = 0.1
    pose: float = 0.025
    joints: float = 0.006
    joints_vel: float = 0.13

    def __post_init__(self) -> None:
        check_fields(self, POSITIVE, *(entry.name for entry in fields(self)))


@dataclass(frozen=True)
class WindowWeights:
    """Standard deviations of the observations; 0 leaves a term out.

    Tracker errors last for many frames, so that each frame tells less than its own error says;
    its shape is next to the mean body's, so that a person's differs by what people do. The numbers
    are those that measure best on val (``benchmarks/humor_window.py``).

    Attributes:
        pixels: of a key-point, in half sides of the person's box.
        pixels_robust: where Geman and McClure's loss bends, in standard deviations.
        joints: of the tracker's joints about its root, metres.
        pose: of the tracker's joint rotations, rad.
        orientation: of the tracker's root rotation, rad.
        root: of the tracker's place across the line of sight, metres.
        depth: of the tracker's distance, which is off by about the same share in all frames, as
            that share; 0 takes ``root`` along the line of sight, too. Where nobody knows where
            the camera is, ``root`` holds in all directions.
        root_step: of the tracker's step from frame to frame, metres.
        contact_velocity: displacement of a resting point from frame to frame, metres.
        stance: distance of a resting sole from the place of its stretch of contact, metres.
        stance_told: distance of that place from where it was told, metres.
        contact_height: height of a resting sole above the ground, metres.
        penetration: depth of any sole under the ground, metres.
        joint_height: height beyond 8 cm of other joints in contact, metres.
        acceleration: second difference of joints, metres; the motion model without a prior.
        shape: of the tracker's shape, for a whole window.
        ground_height: of the first guess, metres.
        ground_slope: of a level ground's slopes.
    """

    pixels: float = 0.028
    pixels_robust: float = 4.0
    joints: float = 0.15
    pose: float = 0.2
    orientation: float = 0.3
    root: float = 0.05
    depth: float = 0.08
    root_step: float = 0.03
    contact_velocity: float = 0.0025
    stance: float = 0.006
    stance_told: float = 0.02
    contact_height: float = 0.02
    penetration: float = 0.02
    joint_height: float = 0.05
    acceleration: float = 0.004
    shape: float = 0.8
    ground_height: float = 0.5
    ground_slope: float = 0.003

    def __post_init__(self) -> None:
        check_fields(self, AT_LEAST_0, *(entry.name for entry in fields(self)))


@dataclass(frozen=True)
class WindowConfig:
    """The fixed-lag solver.

    Attributes:
        frames: length of the window.
        hop: new frames between two solutions.
        lag: frames that follow a frame before it is told.
        bridge: longest stretch without sight, in frames, that is told only when the person is seen
            again, so that its motion leads there: for recordings; 0 waits for nothing.
        iterations: most Levenberg-Marquardt steps of a hop.
        cold_iterations: the same for a person's first window, and for one that bridges a gap.
        prior_weight: factor on the prior's energy; neighbouring transitions share their errors,
            so that each tells less than its own spread says.
        arrival_weight: factor on what past windows know of the first frames, in [0, 1].
        contact_share: weight of the prior's contacts against the tracker's.
        renew_every: steps of a first window after which all derivatives of the networks are
            computed anew; later hops compute those of new frames alone, once.
        slope_stride: neighbouring transitions that share the derivatives of the networks.
        volume_weight: factor on the volume of motions (``window_volume``), in [0, 1], where there
            is a prior; this one leaves no bias of distances on val.
        weights: of the observations.
        noise: of the transitions.

    Raises:
        ValueError: on construction, naming the value.
    """

    frames: int = 60
    hop: int = 10
    lag: int = 12
    bridge: int = 0
    iterations: int = 2
    cold_iterations: int = 5
    prior_weight: float = 0.05
    arrival_weight: float = 0.9
    contact_share: float = 0.9
    renew_every: int = 2
    slope_stride: int = 2
    volume_weight: float = 0.4
    weights: WindowWeights = field(default_factory=WindowWeights)
    noise: TransitionNoise = field(default_factory=TransitionNoise)

    def __post_init__(self) -> None:
        check_fields(self, within(8, 240), "frames")
        if not 1 <= self.hop <= self.frames - 4:
            raise ValueError(f"hop must be between 1 and frames - 4, got {self.hop}")
        if not 0 <= self.lag <= self.frames - self.hop - 1:
            raise ValueError(
                f"lag must be between 0 and frames - hop - 1 ({self.frames - self.hop - 1}), got "
                f"{self.lag}"
            )
        check_fields(self, within(0, 240), "bridge")
        counts = ("iterations", "cold_iterations", "renew_every", "slope_stride")
        check_fields(self, AT_LEAST_1, *counts)
        check_fields(self, SHARE, "arrival_weight", "contact_share", "volume_weight")
        check_fields(self, AT_LEAST_0, "prior_weight")

    @classmethod
    def for_recordings(cls) -> WindowConfig:
        """Where nobody waits: gaps are bridged, first windows solved further."""
        return cls(bridge=90, cold_iterations=10)
