"""Sizes and switches of a WHAM network, enough to rebuild it before its weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from humor_ros.field_checks import AT_LEAST_0, AT_LEAST_1, SHARE_BELOW_1, check_fields, one_of

__all__ = ["FULL_SIZE", "N_GRAVITY", "N_INPUT", "N_KEYPOINTS", "WhamConfig"]

N_KEYPOINTS = 17
#: 34 normalised key-point coordinates and 3 numbers of where the box lies in the image.
N_INPUT = 2 * N_KEYPOINTS + 3
#: Direction of gravity in camera axes.
N_GRAVITY = 3


@dataclass(frozen=True)
class WhamConfig:
    """Hyper-parameters of :class:`~humor_ros.wham.network.WhamNetwork`.

    The defaults are the published size with ViT features (42 M parameters). All of the sizes
    can be read back from the shapes of a state dict, see :meth:`from_shapes`; the switches
    cannot, and stand in the header of our own weight files.

    Attributes:
        d_embed: width of the motion encoder.
        n_layers: LSTM layers of encoder, trajectory decoder and motion decoder.
        n_refiner_layers: LSTM layers of the trajectory refiner.
        d_refiner: width of the trajectory refiner; 0 means ``d_embed``, as published.
        d_feat: length of an image feature (1024 for HMR2's token).
        d_integrator: width of the integrator's two hidden layers.
        embed_dropout: dropout on the embedded key-points (training only).
        rnn_dropout: dropout between LSTM layers (training only).
        integrator_dropout: dropout inside the integrator (training only).
        kp_feedback: feed the previous 3D key-points back into the encoder. False feeds zeros
            at every frame: an instance of the published network whose feedback columns carry
            nothing, which runs in parallel over time (one LSTM call a sequence). The initial
            key-points still enter through the neural initialisation.
        pose_feedback: the same for the previous pose in the motion decoder.
        root_feedback: the same for the previous root orientation in the trajectory decoder.
            This one has no neural initialisation, so with False the initial orientation
            reaches only the roll-out and the refiner.
        gravity_input: append the direction of gravity in camera axes to the key-points (three
            more columns of the embedding; zeros where it is unknown). Not published.
        motion_input: append how each key-point moved since the previous frame, the camera's
            rotation taken out (34 more columns, see ``keypoint_motion``). Not published.
        lifter_blocks: residual blocks of a feed-forward lifter beside the embedding, which lifts
            each frame by itself before the LSTMs relate frames; 0 is as published.
        lifter_width: width of these blocks.
        residual: add to the output of the encoder's LSTM an exponential mean of its input over
            past frames (:class:`~humor_ros.wham.layers.Smoother`), and to those of trajectory
            decoder and motion decoder their input, so that what single frames tell does not
            have to pass through gates. Not published.
        pose_error: the weights come with the covariance of the pose's errors, ``pose_error``
            (42, 42), which the fit to the key-points needs (see ``pose_fit``). Not published.
        integrator_gate: when the integrator adds its input to its output. ``"frame"``: at
            each frame whose feature has no zero element (causal). ``"sequence"``: at all frames
            of a sample, if no element of any of its frames is zero, as the published code
            does; only meaningful for whole sequences in one call.
    """

    d_embed: int = 512
    n_layers: int = 3
    n_refiner_layers: int = 2
    d_refiner: int = 0
    d_feat: int = 1024
    d_integrator: int = 1024
    embed_dropout: float = 0.15
    rnn_dropout: float = 0.3
    integrator_dropout: float = 0.1
    kp_feedback: bool = True
    pose_feedback: bool = True
    root_feedback: bool = True
    gravity_input: bool = False
    motion_input: bool = False
    lifter_blocks: int = 0
    lifter_width: int = 512
    residual: bool = False
    pose_error: bool = False
    integrator_gate: str = "frame"

    def __post_init__(self) -> None:
        sizes = ("d_embed", "n_layers", "n_refiner_layers", "d_feat", "d_integrator")
        check_fields(self, AT_LEAST_1, *sizes, "lifter_width")
        check_fields(self, AT_LEAST_0, "lifter_blocks", "d_refiner")
        check_fields(self, SHARE_BELOW_1, "embed_dropout", "rnn_dropout", "integrator_dropout")
        check_fields(self, one_of("frame", "sequence"), "integrator_gate")

    @property
    def n_input(self) -> int:
        """Columns of the encoder's input: :data:`N_INPUT`, 3 of gravity, 34 of motion."""
        gravity = N_GRAVITY if self.gravity_input else 0
        return N_INPUT + gravity + (2 * N_KEYPOINTS if self.motion_input else 0)

    @property
    def d_context(self) -> int:
        """Width of the motion context: encoder state and 3D key-points."""
        return self.d_embed + 3 * N_KEYPOINTS

    @property
    def refiner_width(self) -> int:
        """Width of the refiner in use."""
        return self.d_refiner or self.d_embed

    @property
    def state_bytes(self) -> int:
        """Size of one person's streaming state (about 48 KB at the published size)."""
        lstm = 2 * (
            self.n_layers * (self.d_embed + 2 * self.d_context)
            + self.n_refiner_layers * self.refiner_width
        )
        fed_back = 3 * N_KEYPOINTS + 6 + 24 * 6 + 6 + 4 * 3
        fed_back += self.d_embed if self.residual else 0
        return 4 * (lstm + fed_back) + 8 * (3 + 3 + 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary for a JSON header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> WhamConfig:
        """Read :meth:`to_dict` back.

        Raises:
            ValueError: a key is not a field of this class, or a value is out of range.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown WHAM configuration keys {sorted(unknown)}")
        return cls(**values)

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> WhamConfig:
        """Infer the sizes from the tensor shapes of a state dict with the published names.

        Raises:
            KeyError: a tensor that tells a size is missing.
        """

        def layers(prefix: str) -> int:
            return sum(name.startswith(f"{prefix}.rnn.weight_ih_l") for name in shapes)

        d_embed = shapes["motion_encoder.embed_layer.weight"][0]
        d_integrator, d_in = shapes["integrator.layer1.weight"]
        d_refiner = shapes["trajectory_refiner.refiner.rnn.weight_hh_l0"][1]
        return cls(
            d_embed=d_embed,
            n_layers=layers("motion_encoder.regressor"),
            n_refiner_layers=layers("trajectory_refiner.refiner"),
            d_refiner=0 if d_refiner == d_embed else d_refiner,
            d_feat=d_in - d_embed - 3 * N_KEYPOINTS,
            d_integrator=d_integrator,
        )


FULL_SIZE = WhamConfig()
