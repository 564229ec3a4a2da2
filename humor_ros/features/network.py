"""The whole encoder of HMR2.0: crops in, features and bodies out."""

from __future__ import annotations

from torch import Tensor, nn

from humor_ros.features.config import FULL_SIZE, EncoderConfig
from humor_ros.features.decoder import SmplHead
from humor_ros.features.values import EncoderOutput
from humor_ros.features.vit import Backbone

__all__ = ["Hmr2Encoder"]


class Hmr2Encoder(nn.Module):
    """Backbone and head under the published names, ``backbone.*`` and ``smpl_head.*``.

    Args:
        config: sizes.
    """

    def __init__(self, config: EncoderConfig = FULL_SIZE) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.vit)
        self.smpl_head = SmplHead(config.decoder, config.vit.embed_dim)

    def encode(self, crops: Tensor) -> Tensor:
        """The feature alone.

        Args:
            crops: (B, 3, S, S) normalised square crops, of which the middle columns are used, or
                (B, 3, S, W) those columns.

        Returns:
            (B, 1024).

        Raises:
            ValueError: the crops are of another size.
        """
        height, width = self.config.vit.img_size
        if crops.ndim == 4 and crops.shape[-2:] == (height, height):
            margin = (height - width) // 2
            crops = crops[..., margin : margin + width]
        tokens = self.backbone(crops.to(self.backbone.pos_embed.dtype))
        return self.smpl_head(tokens)

    def forward(self, crops: Tensor) -> EncoderOutput:
        """Feature and body; see :meth:`encode`."""
        feature = self.encode(crops)
        return EncoderOutput(feature, *self.smpl_head.read_out(feature))
