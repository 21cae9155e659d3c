"""Defines the project's W&B workspace in code, so that nobody has to make panels by hand, and creates it."""

import json
from pathlib import Path
from typing import Any

import wandb
import wandb_workspaces.reports.v2.interface as panels
from wandb.errors import CommError, UsageError
from wandb_workspaces import workspaces

from fullseg.config.schema import TrackingConfig
from fullseg.config.strategies import STRATEGIES
from fullseg.errors import ConfigError
from fullseg.formats.atomic import write_json
from fullseg.metrics.region_iou import SIZES
from fullseg.study.pictures import FIGURES
from fullseg.tracking.wandb_run import PICTURES, SCRIBBLES, STEP

NAME = "fullseg"


def make_workspace(entity: str, project: str) -> workspaces.Workspace:
    """Return the workspace with its sections: quality, corrections, Table 2, pictures, training, system.

    Args:
        entity: W&B user or team.
        project: W&B project, the option ``tracking.project``.
    """
    sections = {**_of_studies(), **_of_training()}
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[workspaces.Section(name=name, panels=found, is_open=True) for name, found in sections.items()],
        settings=workspaces.WorkspaceSettings(x_axis=STEP),
        runset_settings=workspaces.RunsetSettings(
            groupby=[workspaces.Config("experiment"), workspaces.Metric("JobType")],
            pinned_columns=["run:displayName", "config:loss", "config:model.share", "summary:val/iou.max"],
        ),
    )


def _of_studies() -> dict[str, list[Any]]:
    return {
        "Corrections": [
            panels.LinePlot(
                title=f"{title} against scribbles per region",
                x=SCRIBBLES,
                y=[f"study/{name}/{key}" for name in STRATEGIES],
                title_x="scribbles per region",
            )
            for key, title in (
                ("iou", "IoU"),
                ("boundary_iou", "boundary IoU"),
                ("panoptic_quality", "panoptic quality"),
                ("eta", "eta (do scribbles spread?)"),
                ("error_at_boundary", "part of the error at boundaries"),
            )
        ]
        + [panels.WeavePanelSummaryTable(table_name=f"study/by_{group}") for group in ("size", "class")],
        "Table 2": [
            panels.BarPlot(
                title="IoU at 0 scribbles by loss and sharing",
                metrics=["val/iou.max"],
                groupby=panels.Config("experiment"),
                groupby_rangefunc="stddev",
                max_bars_to_show=50,
            ),
            panels.RunComparer(diff_only=True),
        ],
    }


def _of_training() -> dict[str, list[Any]]:
    pictures = [f"{PICTURES}{number}" for number in range(TrackingConfig.pictures)]
    return {
        "Quality": [
            _against_steps("IoU of all regions", ["val/iou", "val/iou_independent"]),
            _against_steps("IoU by region size", [f"val/iou_{size}" for size in SIZES]),
            _against_steps("class accuracy", ["val/class_accuracy"]),
            _against_steps("area under the curve of the study", [f"val/{name}_auc" for name in STRATEGIES]),
        ],
        "Pictures": [
            panels.MediaBrowser(title="the same images through training", media_keys=pictures, mode="gallery"),
            panels.MediaBrowser(title="pictures of the study", media_keys=[f"figures/{name}" for name in FIGURES]),
        ],
        "Training": [
            _against_steps("loss", ["train/loss", "train/mask_loss", "train/class_loss"]),
            _against_steps("learning rate", ["lr-AdamW/head", "lr-AdamW/backbone"]),
            _against_steps("images per second", ["train/images_per_second"]),
            _against_steps("fraction of the time that steps wait", ["train/data_wait", "train/counterpart"]),
        ],
        "System": [
            panels.LinePlot(title=title, x="Relative Time (Process)", y=[f"system/{key}" for key in keys])
            for title, keys in (
                ("GPU in use, %", ["gpu.0.gpu"]),
                ("GPU memory in use, %", ["gpu.0.memoryAllocated"]),
                ("CPU in use, %", ["cpu"]),
                ("memory of the process, MB", ["proc.memory.rssMB"]),
            )
        ],
    }


def _against_steps(title: str, metrics: list[Any]) -> panels.LinePlot:
    return panels.LinePlot(title=title, x=STEP, y=metrics)


def create(entity: str | None, project: str, record: Path, *, again: bool) -> str:
    """Create the workspace in W&B, once.

    Args:
        entity: W&B user or team; None: the owner of the key.
        project: W&B project of the runs.
        record: JSON file that keeps the addresses of created workspaces.
        again: create another workspace even if there is one.

    Returns:
        The address of the workspace.

    Raises:
        ConfigError: without a key or a network.
    """
    try:
        entity = entity or str(wandb.Api().default_entity)
        known: dict[str, str] = json.loads(record.read_text()) if record.is_file() else {}
        key = f"{entity}/{project}"
        if key in known and not again:
            return known[key]
        workspace: Any = make_workspace(entity, project)
        address = str(workspace.save().url)
    except (UsageError, CommError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise ConfigError(
            f"W&B cannot create the workspace: {reason}. This needs a key (wandb login, or WANDB_API_KEY) and "
            "a network; --show prints the definition without either"
        ) from error
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, {**known, key: address})
    return address


def as_json(entity: str, project: str) -> str:
    """Return the definition in the JSON that W&B's server receives."""
    spec: dict[str, Any] = json.loads(make_workspace(entity, project)._to_model().model_dump_json(by_alias=True))
    return json.dumps(spec, indent=1)
