"""DEXTR (Maninis et al., Deep Extreme Cut, CVPR 2018): one pass of a whole network per region.

It is the baseline of Table 1 and the fully convolutional style of Sec. 6. It is written from its description: the box
of the extreme points, grown by 50 px, is cut out of the image and resized to 512 x 512 px. A fourth channel has the
points as Gaussians. DeepLab-v2's ResNet-101 with a pyramid scene parsing head says what is inside. DEXTR has no
scribbles; here they are drawn into the fourth channel, too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import draw_points, draw_scribbles
from fullseg.model.base import Features, Regions, Strokes
from fullseg.model.boxes import region_boxes
from fullseg.model.dextr.deeplab import PyramidNet, load_published
from fullseg.model.roi_align import crop
from fullseg.model.segmenter import Segmenter

CROPS_AT_ONCE = 4  # in a prediction: limits its memory for any number of regions
PIXELS_PER_CELL = 4  # pixels of the crop per cell of a region's logits: half the stride of the network


class Dextr(Segmenter):
    """One network that runs on the crop of every region; a region does not see the annotations of others.

    Args:
        backbone: timm model; the published one is ``resnet101``.
        pretrained: start it from pretrained weights.
        input_size: side of the crop in pixels, a multiple of 32.
        relax: pixels of the image by which the crop reaches beyond the box on every side.
        weights: file of published weights (``dextr_coco.pth`` or another one of a ResNet-101), or None.
        published: lay the network out as the published one. Its weights come from ``weights`` or a checkpoint.
        annotation_encoding: ``gaussian`` for heatmaps, as DEXTR; or ``binary`` for discs.
        background: a pixel may be of no region.
        backbone_weights: file with the backbone's pretrained weights; None: those that timm names.

    Raises:
        ValueError: if timm does not know the backbone, or it cannot be dilated.
        WeightsError: if the weights cannot be loaded or do not fit.
    """

    def __init__(  # noqa: PLR0913  one argument a choice of the model
        self,
        *,
        backbone: str,
        pretrained: bool,
        input_size: int,
        relax: int,
        weights: str | None,
        published: bool,
        annotation_encoding: str,
        background: bool,
        backbone_weights: str | None = None,
    ) -> None:
        super().__init__(share="none", annotation_encoding=annotation_encoding, background=background)
        self.backbone: PyramidNet = PyramidNet(
            name=backbone, pretrained=pretrained and not weights, caffe=published, weights=backbone_weights
        )
        self.knows_classes = False
        self.input_size, self.relax = input_size, relax
        self.mask_size = input_size // PIXELS_PER_CELL
        if weights:
            load_published(self.backbone, weights)
        self.to(memory_format=torch.channels_last)

    def backbone_parts(self) -> list[nn.Module]:
        """Return the ResNet."""
        return [self.backbone.body]

    def features(self, images: Tensor) -> Features:
        """Normalise images (B, 3, H, W) uint8 RGB to float; nothing else is computed once per image."""
        return Features(self.backbone.normalised(images), None, images)

    def region_inputs(
        self, features: Features, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Cut the crops (N, 4, input_size, input_size) out of an image (3, H, W) and draw the annotations into them.

        The boxes (N, 4) are those of the annotations, not of the crops.
        """
        region_of_points = strokes.region_of_points()
        boxes = region_boxes(extreme_points, strokes.points, region_of_points, size)
        frames = self.frames(boxes)
        side = (self.input_size, self.input_size)
        with torch.autocast(features.coarse.device.type, enabled=False):
            maps = draw_points(self._in_crop(extreme_points, frames[:, None]), side, self.annotation_encoding)
            if len(strokes.lengths):
                paths = self._in_crop(strokes.points, frames[region_of_points])
                maps = draw_scribbles(maps, paths, strokes.lengths, strokes.regions)
            crops = crop(features.coarse, frames, self.input_size)
        return torch.cat([crops, self.backbone.map_scale * maps[:, None].to(crops.dtype)], dim=1), boxes

    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:  # noqa: ARG002  it has no classes
        """Run the network on every crop (M, 4, input_size, input_size).

        In training the result is that of the whole crops, which the loss of DEXTR looks at: logits
        (M, input_size, input_size), and the boxes of the crops, which may reach beyond the image. Otherwise the logits
        (M, mask_size, mask_size) are cut to the given boxes, because a region has no say outside its box.
        """
        frames = self.frames(boxes)
        if self.training:
            cells = self.backbone(rois)
            logits = F.interpolate(cells, size=2 * (self.input_size,), mode="bilinear", align_corners=True)
            return Regions(logits[:, 0].float(), frames, None)
        parts = [slice(first, first + CROPS_AT_ONCE) for first in range(0, len(rois), CROPS_AT_ONCE)]
        cut = [self._cut(self.backbone(rois[part]), boxes[part], frames[part]) for part in parts]
        return Regions(torch.cat([boxes.new_zeros(0, self.mask_size, self.mask_size), *cut]), boxes, None)

    def frames(self, boxes: Tensor) -> Tensor:
        """Return the boxes (M, 4) of the crops around boxes (M, 4), in pixels; they may reach beyond the image."""
        return boxes + self.relax * boxes.new_tensor([-1, -1, 1, 1])

    def _in_crop(self, points: Tensor, frames: Tensor) -> Tensor:
        """Return points (..., 2) of the image in pixels of the crops, whose boxes are frames (..., 4)."""
        return (points + 0.5 - frames[..., :2]) * (self.input_size / (frames[..., 2:] - frames[..., :2])) - 0.5

    def _cut(self, cells: Tensor, boxes: Tensor, frames: Tensor) -> Tensor:
        """Sample the network's result in boxes.

        Args:
            cells: (M, 1, c, c), logits of the crops; the outermost cells lie on the outermost pixels of the crop.
            boxes: (M, 4) in pixels of the image.
            frames: (M, 4), boxes of the crops.

        Returns:
            (M, mask_size, mask_size) float32.
        """
        side = self.mask_size
        steps = ((torch.arange(side, device=boxes.device) + 0.5) / side)[:, None]  # (side, 1)
        pixels = boxes[:, None, :2] + steps * (boxes[:, None, 2:] - boxes[:, None, :2]) - 0.5  # (M, side, 2)
        x, y = (2 * self._in_crop(pixels, frames[:, None]) / (self.input_size - 1) - 1).unbind(2)  # -1 to 1 in the crop
        grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=3)
        with torch.autocast(boxes.device.type, enabled=False):
            sampled = F.grid_sample(cells.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)
        return sampled[:, 0]
