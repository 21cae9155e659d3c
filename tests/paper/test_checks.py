"""What is found before anything is computed: missing data, weights that cannot be had, options that do not fit."""

import json
import shutil
from pathlib import Path

import pytest

from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError, WeightsError
from fullseg.model import backbone_weights
from fullseg.paper import checks
from fullseg.paper.checks import check_options, check_stages, missing_data, write_options
from fullseg.paper.provenance import evaluation_hashes
from fullseg.paper.stages import Plan, make_stages
from fullseg.sweeps.cell_folder import State, write_state

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Return overrides that make all networks small."""
    small = ["model.backbone=resnet10t", "model.pretrained=false", "data.train_fraction=1/1", "data.batch_size=2"]
    return [*small, f"data.cache={tmp_path / 'cache'}"]


def plan_of(
    coco: Path, tmp_path: Path, options: list[str], weights: Path | None = None, seeds: tuple[int, ...] = (0,)
) -> Plan:
    return Plan(coco, seeds, tuple(options), tmp_path / "runs", "paper", weights)


def test_nothing_is_missing_in_a_whole_coco(coco: Path) -> None:
    assert missing_data(coco) == {}


def test_each_missing_split_is_a_line_with_the_command_that_gets_it(coco: Path, tmp_path: Path) -> None:
    root = tmp_path / "coco"
    shutil.copytree(coco, root)
    (root / "annotations" / "instances_val2017.json").unlink()
    shutil.rmtree(root / "train")
    found = missing_data(root)
    [panoptic], [instances] = found["panoptic"], found["instances"]
    assert "panoptic_train2017.json" in panoptic
    assert panoptic.endswith(f"To get it: fullseg data coco --root {root}")
    assert "instances_val2017.json is missing" in instances
    assert instances.endswith(f"fullseg data coco --root {root} --part instances2014 instances2017")


def test_weights_that_cannot_be_had_are_one_line_per_backbone(
    coco: Path, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(name: str) -> None:
        asked.append(name)
        raise WeightsError(f"no weights of {name}")

    monkeypatch.setattr(backbone_weights, "_check_hub", refuse)
    kept = [option for option in options if not option.startswith(("model.backbone", "model.pretrained"))]
    with pytest.raises(ConfigError) as error:
        check_stages(make_stages(plan_of(coco, tmp_path, kept, seeds=(0, 1))), {})
    head, *lines = str(error.value).splitlines()
    assert "nothing was run" in head
    assert [line.strip() for line in lines] == [
        "seed0/table2/maskwise and 11 more: no weights of resnet50.tv_in1k",
        "seed0/table1/single_region and 5 more: no weights of resnet101.tv_in1k",
    ]
    assert asked.count("resnet50.tv_in1k") == 1  # both seeds, and models that only share in another way, are one


def test_a_batch_that_the_gpus_cannot_share_is_found(
    coco: Path, tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "visible_gpus", lambda: ["0", "1", "2", "3"])
    with pytest.raises(ConfigError, match=r"and 9 more: data.batch_size=2: 3 processes cannot share 2 images evenly"):
        check_stages(make_stages(plan_of(coco, tmp_path, [*options, "trainer.devices=3"])), {})
    with pytest.raises(ConfigError, match=r"trainer.devices=8: this machine has 4 GPUs"):
        check_stages(make_stages(plan_of(coco, tmp_path, [*options, "trainer.devices=8"])), {})


def test_a_damaged_image_and_a_wrong_file_of_weights_are_found(coco: Path, tmp_path: Path, options: list[str]) -> None:
    root, weights = tmp_path / "coco", tmp_path / "dextr_coco.pth"
    shutil.copytree(coco, root)
    (root / "val2017" / "1.png").write_bytes(b"no image")
    weights.write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"(?s)table1/single_region and 3 more: .*1\.png"):
        check_stages(make_stages(plan_of(root, tmp_path, options, weights)), {})
    with pytest.raises(ConfigError, match=rf"table1/dextr_released: model.dextr.weights={weights}: not a file of we"):
        check_stages(make_stages(plan_of(coco, tmp_path, options, weights)), {})


def test_a_folder_has_one_set_of_options(coco: Path, tmp_path: Path) -> None:
    plan = plan_of(coco, tmp_path, ["data.crop_size=64", "data.workers=3"])
    check_options(plan)  # there is no folder yet
    plan.folder.mkdir(parents=True)
    write_options(plan)
    check_options(plan._replace(overrides=("data.workers=0", "data.crop_size=64", "tracking.pictures=1"), seeds=(5,)))
    with pytest.raises(ConfigError, match=r"was made with data.crop_size=64, not with data.crop_size=96: .*--name"):
        check_options(plan._replace(overrides=("data.crop_size=96",)))
    with pytest.raises(ConfigError, match="not with no other options"):
        check_options(plan._replace(overrides=()))


def test_other_evaluation_images_than_those_of_the_stages_that_are_done(
    coco: Path, tmp_path: Path, options: list[str]
) -> None:
    plan = plan_of(coco, tmp_path, options)
    first, *others = make_stages(plan)
    data = InteractiveDataModule(first.config.data if first.config else None)
    data.setup()
    run = plan.folder / first.name / "run"
    run.mkdir(parents=True)
    write_state(run.parent, State(status="done"))
    (run.parent / "result.json").write_text(json.dumps({"folder": str(run), "study": None}))
    mine = str(data.fingerprint()["val_hash"])
    for hashed in (mine, "0123456789abcdef"):
        (run / "environment.txt").write_text(f"commit: c\nval_hash: {hashed}\n\ntorch==2\n")
        found = evaluation_hashes(plan, [first])
        assert found == {"panoptic": hashed}
        if hashed == mine:
            check_stages(others, found)
    with pytest.raises(ConfigError, match=r"maskwise_shared and 5 more: data.root=.*: its evaluation images are not"):
        check_stages(others, found)
