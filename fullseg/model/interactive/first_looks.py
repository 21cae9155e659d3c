"""What the regions of one image see of their first answers, kept between predictions."""

import torch
from torch import Tensor

from fullseg.model.base import PREDICTED, Features, Strokes
from fullseg.model.first_look import boxes_with_scribbles, compete, crop
from fullseg.model.interactive.batches import BatchCache
from fullseg.model.interactive.drawing import Box
from fullseg.model.interactive.region_cache import Region
from fullseg.model.interactive.region_states import RegionStates
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import Annotations


class FirstLooks:
    """The answers to the extreme points alone, and what each region sees of its own.

    As long as there is no scribble, they are the answers that are computed anyway, and are kept. Later only those are
    computed again that a new region or other extreme points change.

    Args:
        segmenter: in evaluation mode, with ``second_look``.
        features: of the image.
        size: (H, W) of the image in pixels.
    """

    def __init__(self, segmenter: RegionSegmenter, features: Features, size: tuple[int, int]) -> None:
        self.segmenter, self.features, self.size = segmenter, features, size
        self.answers = RegionStates(BatchCache(segmenter, features, size))
        self._probabilities: Tensor | None = None  # (N, h, w), of the answers; None: they have changed
        self._seen: dict[int, tuple[Box, Tensor]] = {}  # per region, by id(), its look, and the box that it lies in

    def update(self, states: RegionStates, annotations: Annotations, strokes: Strokes) -> list[Tensor | None]:
        """Return what each region sees of its first answer: (roi_size, roi_size), or None if no scribble is in its box.

        Args:
            states: the regions with these annotations; their logits need not be up to date.
            annotations: extreme points of all N regions, and any scribbles.
            strokes: the same scribbles, packed.
        """
        count, boxes = len(states.regions), torch.from_numpy(states.boxes()).float()
        reached = boxes_with_scribbles(boxes, strokes, self.size).tolist()
        if not any(reached):
            self._seen = {}
            return [None] * count
        drawn = self.answers.draw(annotations._replace(scribbles=[]), Strokes.pack([]))
        if self.answers.compute(drawn.changes, (), ()) or drawn.renumbered:
            self._probabilities = None
        if self._probabilities is None:
            self._seen = {}
            logits = torch.stack(self.answers.logits())
            tight = torch.from_numpy(self.answers.boxes()).to(logits)
            self._probabilities = compete(logits, tight, self.size)
        known = {number for number, region in enumerate(states.regions) if self._is_known(region)}
        new = [number for number in range(count) if reached[number] and number not in known]
        if new:
            found = crop(self._probabilities[new], boxes[new].to(self._probabilities), self.size, self._side)
            for number, look in zip(new, found, strict=True):
                region = states.regions[number]
                self._seen[id(region)] = region.box, look.clone()
        regions = [region if reached[number] else None for number, region in enumerate(states.regions)]
        return [self._seen[id(region)][1] if region is not None else None for region in regions]

    @property
    def _side(self) -> int:
        return self.segmenter.roi_size

    def _is_known(self, region: Region) -> bool:
        return id(region) in self._seen and self._seen[id(region)][0] == region.box

    def keep(self, states: RegionStates) -> None:
        """Keep the logits of regions without any scribble in the image as the answers to their extreme points."""
        if any(region.given_class != PREDICTED for region in states.regions):
            return  # their logits depend on what a person said
        self.answers.keys = list(states.keys)
        self.answers.cache.total[:] = states.cache.total
        self.answers.regions = [
            Region(region.extreme_points, (), region.drawing, region.box, logits=region.logits.clone())
            for region in states.regions
            if region.logits is not None
        ]
        self._probabilities = None
