"""From the head's last layer to one map of logits per region (paper, Sec. 3.4).

There is a map per class, and a region takes the map of its class, or the mean of all maps by its class probabilities.
A map is linear in its weights, so the mean of maps is the map of the mean weights. Only one map is ever computed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.base import PREDICTED


class ClassMaps(nn.Module):
    """The 1 x 1 convolutions that give the maps, and the classification head that chooses among them.

    The weights of class c are ``shared`` plus row c of ``own``: what all classes have in common is learnt from all
    regions.

    Args:
        channels: of the head's last layer.
        num_classes: number of maps; 1: one map serves all classes, and there is no classification head.
        mix: a region takes the mean of all maps by its class probabilities. If false, it takes the likeliest class's.
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
        """Return class logits (M, num_classes) float32 from the head's last layer (M, C, s, s); None for one map."""
        return None if self.classifier is None else self.classifier(hidden.mean(dim=(2, 3))).float()

    def shares(self, class_logits: Tensor | None, classes: Tensor | None) -> Tensor | None:
        """Return which share each class's map has in the map of each region.

        Args:
            class_logits: (M, num_classes) float32, of ``class_logits``; None for one map.
            classes: (M,) int64, a class, whose map then has the whole share, or PREDICTED; None: PREDICTED for all.

        Returns:
            (M, num_classes) float32 that sum to 1 per region; None for one map. If a class is to be predicted, the
            shares are the probabilities with ``mix``, else the likeliest class has all.
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
        """Return weights (M, C) and biases (M,) of M regions' maps from their shares (M, num_classes).

        For one map the shares are None and M is 1.
        """
        weight, bias = self.shared.weight, self.shared.bias
        if shares is None or self.own is None:
            return weight, bias
        with torch.autocast(shares.device.type, enabled=False):
            return weight + shares @ self.own.weight, bias + shares @ self.own.bias

    def forward(self, hidden: Tensor, shares: Tensor | None) -> Tensor:
        """Return logits (M, s, s) float32 from the head's last layer (M, C, s, s) and ``shares``' result."""
        weight, bias = self.weights(shares)
        weight = weight.expand(len(hidden), -1)[:, :, None]  # (M, C, 1): the same bits for any number of regions
        logits = hidden.permute(0, 2, 3, 1).flatten(1, 2) @ weight  # (M, s^2, 1)
        return logits.view(-1, *hidden.shape[2:]).float() + bias[:, None, None]
