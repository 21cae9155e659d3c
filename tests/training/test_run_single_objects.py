"""Table 1 from end to end: single objects with background, our single region model and DEXTR."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg import Predictor
from fullseg.config.load import load_config
from fullseg.training.run import train
from fullseg.training.run_study import study
from fullseg.types import VOID, Annotations
from tests.tiny_objects import write_objects

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TINY = {  # added to the tiny options of all tests, so that these networks are quick, too
    "single_region": ["model.backbone=resnet14t", "model.dextr.input_size=32"],
    "dextr": ["model.backbone=resnet14t", "model.dextr.input_size=32", "data.regions_per_image=2"],
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("objects")
    write_objects(root, {"train2014": 4, "val2017": 2})
    return root


@pytest.mark.parametrize("name", TINY)
def test_trains_is_studied_and_predicts(name: str, objects: Path, tiny_options: list[str], tmp_path: Path) -> None:
    options = [option for option in tiny_options if not option.startswith("data.format")]
    options += [
        *TINY[name],
        "trainer.epochs=1",
        f"data.root={objects}",
        f"data.cache={tmp_path}",
        f"runs={tmp_path / 'runs'}",
    ]
    options += ["tracking.wandb=disabled", "study.rounds=1", "study.strategies=[free]", "study.workers=1"]
    config = load_config(ROOT / "experiments" / "table1" / f"{name}.yaml", options)
    result = train(config)
    assert 0 < result.after["iou_independent"] < 1
    assert result.after["iou"] == pytest.approx(result.after["iou_independent"], abs=0.25)  # objects hardly compete

    folder, content = study(load_config(ROOT / "experiments" / "table1" / f"{name}.yaml", options))
    curve = content["strategies"]["free"]["iou"]
    assert folder == result.folder
    assert curve[0] == pytest.approx(result.after["iou"], abs=0.02)
    assert curve[1] > curve[0] - 0.02

    predictor = Predictor.from_checkpoint(result.folder)
    image = np.array(Image.open(objects / "val2017" / "0.png"))
    predictor.set_image(image)
    quad = np.array([[[10, 30], [40, 10], [80, 30], [40, 70]]], np.float32)
    region_map = predictor.predict(Annotations(quad, []))
    probability = predictor.probabilities()[0]
    inside = np.zeros(region_map.shape, bool)
    inside[10:71, 10:81] = True
    np.testing.assert_array_equal(region_map == 0, inside & (probability > 0.5))  # a pixel may be of no region
    assert (region_map[~inside] == VOID).all()
