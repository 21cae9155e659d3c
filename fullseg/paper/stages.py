"""The stages of ``fullseg paper``: one training or study each, as a cell that the sweeps' runner runs."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fullseg.config.load import load_config
from fullseg.errors import ConfigError
from fullseg.sweeps.cells import Cell

TABLE_2 = ("table2/maskwise", "table2/maskwise_shared", "table2/pixelwise", "table2/pixelwise_shared")
FULL_IMAGE, SINGLE_REGION = "fig5/full_image_scribble", "fig5/single_region_scribble"
COUNTERPARTS = {FULL_IMAGE: "table2/pixelwise_shared", SINGLE_REGION: "table2/maskwise"}
STUDY = "fig5/study"
STRATEGIES = ("free", "per_region", "single_region")
TABLE_1 = ("table1/single_region", "table1/single_region_two_stage", "table1/dextr")
RELEASED = "table1/dextr_released"
RELEASED_FILE = "dextr_coco.pth"  # the weights that DEXTR's authors trained on COCO train2014

# Options that the stages set themselves, or that would make other models than the rows say.
OWN = (
    *("experiment", "seed", "runs", "run_id", "resume", "checkpoint", "counterpart", "loss"),
    *("model.name", "model.head", "model.share", "model.annotation_encoding", "model.dextr.weights"),
    *("data.format", "data.root", "data.train_split", "data.val_split", "scribbles.predictor", "scribbles.rounds"),
    *("study.strategies", "study.single_region", "study.hold_scribbles"),
    *("trainer.num_nodes", "trainer.fast_dev_run"),  # the stages run on this machine, and need checkpoints
)


class Plan(NamedTuple):
    """What is to be made, from which data, and where."""

    data: Path  # folder of COCO
    seeds: tuple[int, ...]
    overrides: tuple[str, ...]  # of all stages, ``key=value`` each
    runs: Path  # folder of all run folders
    name: str  # of the folder of the stages in it
    weights: Path | None  # DEXTR's released weights

    @property
    def folder(self) -> Path:
        """Return the folder of the stages."""
        return self.runs / self.name


def stage_name(seed: int | None, stage: str) -> str:
    """Return the name of a stage, which is its folder below the plan's; the released weights have no seed."""
    return stage if seed is None else f"seed{seed}/{stage}"


def part_of(name: str) -> str:
    """Return the part of COCO that a stage needs: ``instances`` for Table 1, ``panoptic`` for all others."""
    return "instances" if "table1/" in name else "panoptic"


def make_stages(plan: Plan) -> list[Cell]:
    """Return all stages in the order in which they run: those that a stage needs come before it.

    Raises:
        ConfigError: if an option is wrong, or if it is one that the stages set themselves.
    """
    for override in plan.overrides:
        if override.split("=")[0] in OWN:
            raise ConfigError(f"{override}: fullseg paper sets this option itself, so that the rows are what they say")
    cells = [cell for seed in plan.seeds for cell in _stages_of(plan, seed)]
    return cells if plan.weights is None else [*cells, _released(plan, plan.weights)]


def _stages_of(plan: Plan, seed: int) -> Iterator[Cell]:
    for stage in TABLE_2:
        yield _cell(plan, seed, stage)
    for stage, counterpart in COUNTERPARTS.items():
        yield _cell(plan, seed, stage, models={"counterpart": counterpart})
    studied = {"checkpoint": FULL_IMAGE, "counterpart": COUNTERPARTS[FULL_IMAGE], "study.single_region": SINGLE_REGION}
    options = [f"study.strategies=[{','.join(STRATEGIES)}]"]
    yield _cell(plan, seed, STUDY, experiment=FULL_IMAGE, job="study", models=studied, options=options)
    for stage in TABLE_1:
        yield _cell(plan, seed, stage)


def _released(plan: Plan, weights: Path) -> Cell:
    # The released weights are of one network, whatever the overrides say of the others.
    options = ["model.backbone=resnet101.tv_in1k", f"model.dextr.weights={weights}", "trainer.epochs=0"]
    return _cell(plan, None, RELEASED, experiment="table1/dextr", options=options)


def _cell(
    plan: Plan,
    seed: int | None,
    stage: str,
    *,
    experiment: str | None = None,
    job: str = "train",
    models: dict[str, str] | None = None,
    options: Sequence[str] = (),
) -> Cell:
    """Return one stage.

    Args:
        plan: the plan.
        seed: of the stage; None: nothing in it is random.
        stage: its name, without the seed.
        experiment: its YAML below ``experiments/``; None: the stage's name.
        job: ``train`` or ``study``.
        models: the options that name models, and the stages of the same seed that train these models.
        options: more options, ``key=value`` each.
    """
    path = f"experiments/{experiment or stage}.yaml"
    name, models = stage_name(seed, stage), models or {}
    seeded = [] if seed is None else [f"seed={seed}"]
    words = [*plan.overrides, f"data.root={plan.data}", *seeded, *options]
    needs = {option: stage_name(seed, other) for option, other in models.items()}
    pins = [f"{option}={plan.folder / other / 'latest'}" for option, other in needs.items()]
    try:
        config = load_config(path, [*words, *pins])
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
    command = [sys.executable, "-m", "fullseg", job, path, *words]
    key = hashlib.sha256(json.dumps([name, *words]).encode()).hexdigest()[:8]
    parameters = {} if seed is None else {"seed": seed}
    return Cell(name, key, parameters, command, job, config, pins, "", tuple(needs.values()))
