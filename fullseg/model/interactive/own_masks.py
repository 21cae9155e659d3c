"""The masks of an image's regions, each by itself."""

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.canvas import project_to_canvas
from fullseg.model.interactive.image_state import ImageState


def own_masks(state: ImageState) -> NDArray[np.bool_]:
    """Return the mask (N, H, W) of every region by itself, see ``Predictor.masks``."""
    masks = np.zeros((state.count, *state.size), bool)
    for mask, region in zip(masks, state.regions, strict=False):  # one after another: logits (N, H, W) are large
        assert region.logits is not None
        box = region.logits.new_tensor([region.box])
        mask[:] = (project_to_canvas(region.logits[None], box, state.size)[0] > 0).cpu().numpy()
        for path in region.scribbles if state.hold_scribbles else ():
            pixels, _ = line_pixels(torch.from_numpy(path), torch.tensor([len(path)]), state.size)
            mask.ravel()[pixels.numpy()] = True
    for number in state.decided.locked:
        masks[number] = state.decided.locked_map == number
    return masks
