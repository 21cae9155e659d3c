"""The pixel-wise loss against a loop over regions: ``python benchmarks/canvas_loss.py``.

Prints the median milliseconds of forward and backward pass over 4 images of 640 x 480 px, both losses in turn, and the
memory that the forward pass keeps for the backward pass.
"""

import statistics
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from limits import now
from rich.console import Console
from rich.table import Table
from torch import Tensor
from training_rates import device

from fullseg.config.load import load_config
from fullseg.model.canvas import OUTSIDE_LOGIT
from fullseg.model.losses import PixelwiseLoss
from fullseg.runs.provenance import machine
from fullseg.runs.trainer import prepare_process
from fullseg.types import VOID

IMAGES, HEIGHT, WIDTH, CELLS, ROUNDS, WARM_UP = 4, 480, 640, 41, 10, 2
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Image = tuple[Tensor, Tensor, Tensor]  # (N, 41, 41) logits, (N, 4) boxes, (H, W) truth


def random_image(regions: int, rng: np.random.Generator) -> Image:
    """Return an image whose regions are Voronoi cells; the box of the first is the whole image, as of a background."""
    pixels = np.stack(np.indices((HEIGHT, WIDTH)), axis=-1)[:, :, None]
    truth = ((pixels - rng.random((regions, 2)) * (HEIGHT, WIDTH)) ** 2).sum(axis=-1).argmin(axis=-1)
    boxes = [[0, 0, WIDTH, HEIGHT]]
    for region in range(1, regions):
        y, x = np.nonzero(truth == region)
        boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
    logits = torch.from_numpy(rng.standard_normal((regions, CELLS, CELLS), np.float32))
    image = logits, torch.from_numpy(np.array(boxes, np.float32)), torch.from_numpy(truth)
    logits, corners, region_map = (part.to(device()) for part in image)
    return logits.requires_grad_(), corners, region_map


def region_by_region(region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
    """Return Eq. 3 in its most direct form."""
    canvas = region_logits.new_full((len(boxes), *region_map.shape), OUTSIDE_LOGIT)
    area = torch.full(region_map.shape, torch.inf, device=boxes.device)
    for region, (x0, y0, x1, y1) in enumerate(boxes.int().tolist()):
        resized = F.interpolate(region_logits[region][None, None], size=(y1 - y0, x1 - x0), mode="bilinear")
        canvas[region, y0:y1, x0:x1] = resized[0, 0]
        area[y0:y1, x0:x1] = area[y0:y1, x0:x1].clamp(max=(x1 - x0) * (y1 - y0))
    own = canvas.gather(0, region_map.clamp(min=0)[None])[0]
    counts = (region_map != VOID) & (own > OUTSIDE_LOGIT)
    return (torch.where(counts, canvas.logsumexp(dim=0) - own, 0) / area).sum() / len(boxes)


def kept_bytes(loss: Loss, image: Image) -> int:
    """Return how many bytes the forward pass keeps for the backward pass."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = loss(*image)
    del result
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def canvas_loss_seconds(regions: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of forward and backward pass in every round, of both losses in turn."""
    images = [random_image(regions, np.random.default_rng(number)) for number in range(IMAGES)]
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "region by region": []}
    for _ in range(WARM_UP + rounds):
        for name, loss in (("ours", PixelwiseLoss()), ("region by region", region_by_region)):
            start = now()
            value = torch.stack([loss(*image) for image in images]).mean()
            middle = now()
            value.backward()
            seconds[name].append((middle - start, now() - middle))
    return {name: pairs[WARM_UP:] for name, pairs in seconds.items()}


def main() -> None:
    """Print the table."""
    prepare_process(load_config())
    title = f"{machine()}, {torch.get_num_threads()} threads; {IMAGES} images of {WIDTH} x {HEIGHT} px"
    table = Table("regions", "loss", "forward, ms", "backward, ms", "both, ms", "kept per image, MiB", title=title)
    for regions in (15, 60):
        image = random_image(regions, np.random.default_rng(0))
        for name, pairs in canvas_loss_seconds(regions, ROUNDS).items():
            loss: Loss = PixelwiseLoss() if name == "ours" else region_by_region
            columns = [*zip(*pairs, strict=True), [sum(pair) for pair in pairs]]
            memory = f"{kept_bytes(loss, image) / 2**20:.0f}"
            table.add_row(str(regions), name, *(f"{1e3 * statistics.median(c):.0f}" for c in columns), memory)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
