"""Checks everything that would stop a stage hours later, before anything is computed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fullseg.config.schema import Config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.index.files import find_files
from fullseg.data.index.instances import find_instances
from fullseg.data.steps import share_of_batch
from fullseg.errors import ConfigError, UserError
from fullseg.formats.atomic import write_json
from fullseg.model.factory import make_segmenter
from fullseg.paper.stages import Plan, part_of
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.runner import visible_gpus
from fullseg.training.model_options import model_arguments

OPTIONS = "options.json"  # in the folder of the stages: the options that they are made with
# By part of COCO: the tables that need it, what finds one of its splits, its splits, and the command that gets it.
PARTS: dict[str, tuple[str, Callable[[Path, str], object], tuple[str, str], str]] = {
    "panoptic": ("Table 2 and Fig. 5", find_files, ("train", "val"), "fullseg data coco --root {}"),
    "instances": (
        "Table 1",
        find_instances,
        ("train2014", "val2017"),
        "fullseg data coco --root {} --part instances2014 instances2017",
    ),
}
# Options that change no number but the last bits: they may differ between two calls that fill the same folder.
FREE = (
    *("data.cache", "data.workers", "scribbles.workers", "study.workers", "trainer.threads"),
    *("trainer.devices", "trainer.checkpoint_every", "trainer.checkpoint_minutes", "trainer.progress_bar"),
    *("trainer.strategy", "trainer.profiler", "tracking."),
)


def missing_data(data: Path) -> dict[str, list[str]]:
    """Return the parts of COCO that are not complete in a folder, each with one line per split that is missing."""
    missing: dict[str, list[str]] = {}
    for part, (_, find, splits, command) in PARTS.items():
        for split in splits:
            try:
                find(data, split)
            except UserError as error:
                what = str(error).split("; ")[0]
                missing.setdefault(part, []).append(f"{what}. To get it: {command.format(data)}")
    return missing


def check_options(plan: Plan) -> None:
    """Raise ConfigError if the folder's stages were made with other options: a table has one set of options."""
    path = plan.folder / OPTIONS
    mine, theirs = changing_options(plan), json.loads(path.read_text()) if path.is_file() else None
    if theirs is not None and mine != theirs:
        raise ConfigError(
            f"{plan.folder} was made with {' '.join(theirs) or 'no other options'}, not with "
            f"{' '.join(mine) or 'no other options'}: give the same options, or another folder, --name NAME"
        )


def write_options(plan: Plan) -> None:
    """Write the options that the folder's stages are made with."""
    write_json(plan.folder / OPTIONS, changing_options(plan))


def changing_options(plan: Plan) -> list[str]:
    """Return the overrides that change more than the last bits of the numbers, in alphabetical order."""
    return sorted(override for override in plan.overrides if not override.startswith(FREE))


def check_stages(cells: Sequence[Cell], evaluated: Mapping[str, str]) -> None:
    """Check data, options and weights of all stages that are to be run.

    Every data set is opened, which reads the headers of all its images once. Every network is made, which fetches
    ImageNet weights that are not on this machine yet.

    Args:
        cells: the stages.
        evaluated: hash of the evaluation images that the stages which are done have seen, by the part of COCO.

    Raises:
        ConfigError: if something is wrong. Its message has one line per mistake, with the stages that have it.
    """
    mistakes: dict[str, list[str]] = {}
    check = _Checker()
    for cell in cells:
        assert cell.config is not None
        try:
            check.stage(cell.config, evaluated.get(part_of(cell.name)), trained=cell.job == "train")
        except (UserError, ValueError) as error:
            mistakes.setdefault(str(error), []).append(cell.name)
    if mistakes:
        lines = [f"{_and_more(names)}: {mistake}" for mistake, names in mistakes.items()]
        raise ConfigError("\n       ".join(["nothing was run, because stages would fail:", *lines]))


def _and_more(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


class _Checker:
    """Checks one configuration after the other; nothing is opened or made twice."""

    def __init__(self) -> None:
        self.opened: dict[str, Any] = {}
        self.made: dict[str, Any] = {}

    def stage(self, config: Config, evaluated: str | None, *, trained: bool) -> None:
        """Raise the mistake of a stage, if it has one."""
        gpus = len(visible_gpus())
        if gpus and config.trainer.devices > gpus:
            raise ConfigError(f"trainer.devices={config.trainer.devices}: this machine has {gpus} GPUs for it")
        share_of_batch(config.data.batch_size, max(1, config.trainer.devices))
        data = _once(self.opened, repr(config.data), lambda: _open(config))
        if evaluated not in (None, data.fingerprint()["val_hash"]):
            raise ConfigError(
                f"data.root={config.data.root}: its evaluation images are not those of the stages that are done; name "
                "the folder of the same data, or another folder for the stages, --name NAME"
            )
        if trained:
            arguments = model_arguments(config, len(data.categories), background=data.has_background)
            _once(self.made, repr({**arguments, "share": ""}), lambda: _make(arguments))  # sharing changes no layer


def _once(known: dict[str, Any], key: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Make something unless it is known. Return it, or raise the mistake that it was, again."""
    if key not in known:
        try:
            known[key] = make()
        except (UserError, ValueError) as mistake:
            known[key] = mistake
    if isinstance(known[key], Exception):
        raise known[key]
    return known[key]


def _open(config: Config) -> InteractiveDataModule:
    data = InteractiveDataModule(config.data, seed=config.seed)
    data.prepare_data()
    data.setup()
    return data


def _make(arguments: dict[str, Any]) -> None:
    make_segmenter(arguments)  # it is not returned, so that its memory is free again
