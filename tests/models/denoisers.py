"""Denoisers of diffusers' that are small enough for a test, with weights of their own."""

import torch
from diffusers import PixArtTransformer2DModel, UNet2DConditionModel


def transformer(**settings):
    torch.manual_seed(0)
    made = PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=3, out_channels=3, num_layers=2,
        cross_attention_dim=16, sample_size=8, patch_size=4, caption_channels=6, interpolation_scale=1,
        **{"use_additional_conditions": False, **settings},
    )  # fmt: skip
    return made.requires_grad_(False).eval()


def unet(*, channels=3, words=6):
    torch.manual_seed(0)
    made = UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=channels, layers_per_block=1, block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=words, attention_head_dim=2, norm_num_groups=4,
    )  # fmt: skip
    return made.requires_grad_(False).eval()
