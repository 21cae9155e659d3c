"""From the head's last layer to one map of logits a region (paper, Sec. 3.4).

Of its class, of all classes by their probabilities, or one for all. Maps are linear in their weights, so the mean of
maps is the map of the mean: only one is computed, however many classes there are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.base import PREDICTED


class ClassMaps(nn.Module):
    """The 1 x 1 convolutions that give the maps, and the classification head that decides on them.

    Class c's convolution is ``shared`` + row c of ``own``: what all classes have in common is learnt from all regions.

    Args:
        channels: of the head's last layer.
        num_classes: number of maps; 1: one for all, and no classification head.
        mix: a region's map is the mean of all classes' by their probabilities, not the likeliest class's.
    """

    def __init__(self, channels: int, num_classes: int, *, mix: bool) -> None:
        super().__init__()
        self.mix, self.shared = mix, nn.Linear(channels, 1)
        self.own = nn.Linear(channels, num_classes) if num_classes > 1 else None
        self.classifier = nn.Linear(channels, num_classes) if num_classes > 1 else None
        if self.own is not None:
            nn.init.zeros_(self.own.weight)
            nn.init.zeros_(self.own.bias)

    def class_logits(self, hidden: Tensor) -> Tensor | None:
        """Return class logits (M, num_classes) of the head's last layer (M, C, s, s), None where there is one map."""
        return None if self.classifier is None else self.classifier(hidden.mean(dim=(2, 3))).float()

    def shares(self, class_logits: Tensor | None, classes: Tensor | None) -> Tensor | None:
        """Return the share (M, num_classes) of every class's map in a region's; ``classes`` as of ``Segmenter``'s.

        Where the classification head decides, a class has its probability, or the likeliest one all; None where there
        is one map.
        """
        if class_logits is None:
            return None
        likeliest = class_logits.argmax(dim=1)
        given = likeliest if classes is None else torch.where(classes == PREDICTED, likeliest, classes)
        picked = F.one_hot(given, class_logits.shape[1]).to(class_logits.dtype)
        if not self.mix:
            return picked
        mixed = class_logits.softmax(dim=1)
        return mixed if classes is None else torch.where((classes == PREDICTED)[:, None], mixed, picked)

    def weights(self, shares: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return weights (M, C) and biases (M,) of maps with such shares; M = 1 where there is one map."""
        weight, bias = self.shared.weight, self.shared.bias
        if shares is None or self.own is None:
            return weight, bias
        with torch.autocast(shares.device.type, enabled=False):
            return weight + shares @ self.own.weight, bias + shares @ self.own.bias

    def forward(self, hidden: Tensor, shares: Tensor | None) -> Tensor:
        """Return a map of logits (M, s, s) float32 for each region of the head's last layer (M, C, s, s)."""
        weight, bias = self.weights(shares)
        weight = weight.expand(len(hidden), -1)[:, :, None]  # (M, C, 1): each region by itself, whatever its number
        logits = hidden.permute(0, 2, 3, 1).flatten(1, 2) @ weight  # (M, s^2, 1)
        return logits.view(-1, *hidden.shape[2:]).float() + bias[:, None, None]
