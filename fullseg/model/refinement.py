"""Refinement on the canvas: a small network looks at every region's lead, at strokes and at the sharp features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.canvas import OUTSIDE_LOGIT

WIDTH = 16
CLIP = 6.0  # logits


class Refinement(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.image = nn.Conv2d(channels + 3, WIDTH, 3, padding=1)
        self.region = nn.Conv2d(4, WIDTH, 3, padding=1, bias=False)
        self.hidden = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=d, dilation=d) for d in (2, 4))
        self.last = nn.Conv2d(WIDTH, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, canvas: Tensor, image: Tensor, own: Tensor, *, background: bool) -> Tensor:
        """Canvas (N, H, W), image features (W, h, w) at stride 2, own maps (N, H, W) -> canvas."""
        inside = canvas > OUTSIDE_LOGIT
        height, width = canvas.shape[1:]
        if len(canvas) > 1:
            best = canvas.topk(2, dim=0).values
            rival = torch.where(canvas == best[0], best[1], best[0])
        else:
            rival = torch.full_like(canvas, OUTSIDE_LOGIT)
        if background:
            rival = rival.clamp(min=0)
        lead = (canvas - rival).clamp(-CLIP, CLIP) / CLIP
        lead = torch.where(inside, lead, -1)
        others = own.sum(0, keepdim=True) - own
        seen = torch.stack([lead, inside.float(), own, others.clamp(max=1)], dim=1)
        seen = F.pad(seen, (0, width % 2, 0, height % 2))
        small = torch.cat([F.avg_pool2d(seen[:, :2], 2), F.max_pool2d(seen[:, 2:], 2)], dim=1)
        h = F.relu(self.region(small) + image[None, :, : small.shape[2], : small.shape[3]])
        for layer in self.hidden:
            h = F.relu(layer(h)) + h
        delta = F.interpolate(self.last(h), scale_factor=2, mode="bilinear")[:, 0, :height, :width]
        return torch.where(inside, canvas + delta.float(), canvas)
