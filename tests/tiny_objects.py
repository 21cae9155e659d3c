"""Single objects in COCO's format: the things of generated scenes."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as run_lengths

from fullseg.data.scenes import SCENE_CATEGORIES, generate_scene


def write_objects(root: Path, splits: Mapping[str, int]) -> None:
    """Write a COCO instances split for each name, with so many images."""
    (root / "annotations").mkdir()
    for split, count in splits.items():
        (root / split).mkdir()
        content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
        for number in range(count):
            scene = generate_scene(np.random.default_rng([count, number]))
            height, width = scene.region_map.shape
            Image.fromarray(scene.image).save(root / split / f"{number}.png")
            size = {"height": height, "width": width}
            content["images"].append({"id": number, "file_name": f"{number}.png", **size})
            for region, index in enumerate(scene.classes.tolist()):
                if SCENE_CATEGORIES[index].isthing:
                    found = run_lengths.encode(np.asfortranarray(scene.region_map == region))
                    code = {"size": [height, width], "counts": found["counts"].decode()}
                    about = {"id": 1 + len(content["annotations"]), "image_id": number, "iscrowd": 0}
                    content["annotations"].append(
                        about | {"category_id": int(SCENE_CATEGORIES[index].id), "segmentation": code}
                    )
        categories = [{"id": int(c.id), "name": c.name} for c in SCENE_CATEGORIES if c.isthing]
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content | {"categories": categories}))
