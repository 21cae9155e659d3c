"""``fullseg sweep``: runs the cells of a W&B sweep on this machine, without W&B's server."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fullseg.config.schema import TrackingConfig
from fullseg.data.prepare import prepare
from fullseg.errors import ConfigError
from fullseg.sweeps.cell_folder import log_lines, read_state
from fullseg.sweeps.cells import Cell, make_cells
from fullseg.sweeps.differences import differences, print_differences
from fullseg.sweeps.figures import draw
from fullseg.sweeps.file import read_sweep
from fullseg.sweeps.results import write_results
from fullseg.sweeps.runner import Runner, alone, visible_gpus
from fullseg.sweeps.tracking import log_sweep

TAIL = 8  # last lines of a failed cell's log that are printed


def sweep(
    path: Path,
    overrides: Sequence[str],
    *,
    experiment: Path | None,
    runs: Path,
    jobs: int | None,
    dry_run: bool,
) -> int:
    """Run all cells of a sweep that are not done yet. Then print, write and draw the results.

    Args:
        path: the sweep's YAML.
        overrides: ``key=value`` each. They are appended to every cell's command.
        experiment: YAML that replaces the one in the sweep's command, or None.
        runs: folder of all run folders. The sweep's folder is ``sweeps/<name>/`` in it.
        jobs: cells that run at once; None: one per GPU, one on a CPU.
        dry_run: list the cells and run none.

    Returns:
        Number of cells that failed.

    Raises:
        ConfigError: for a wrong file or option or a missing model, before any cell runs.
        DataError: for bad data, before any cell runs.
        Interrupted: after Ctrl-C, when the cells have stopped.
    """
    console = Console(width=None if sys.stdout.isatty() else 160)
    plan = read_sweep(path)
    if experiment is not None:  # another experiment needs a table of its own
        plan = plan._replace(name=f"{plan.name}-{_experiment_name(experiment)}")
    cells = make_cells(plan, overrides, experiment, runs)
    folder = runs / "sweeps" / plan.name
    if dry_run:
        _list(console, folder, cells)
        return 0
    _check(cells)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder) as lock:
        shutil.copyfile(path, folder / "sweep.yaml")
        Runner(cells, folder=folder, runs=runs, jobs=jobs, lock=lock, console=console).run()
    groups = write_results(folder, plan, cells, console)
    if groups:
        found = differences([row for one in groups for row in one.rows], plan.varied)
        print_differences(found, console)
        draw(plan.name, groups).savefig(folder / "results.png", dpi=150)
        tracking = next((cell.config.tracking for cell in cells if cell.config is not None), TrackingConfig())
        log_sweep(folder, groups, found, folder / "results.png", tracking)
        console.print(f"            {folder}/results.png", soft_wrap=True, highlight=False)
    return _print_failures(console, folder, cells)


def _experiment_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    start = parts.index("experiments") + 1 if "experiments" in parts else len(parts) - 1
    return "-".join(parts[start:])


def _list(console: Console, folder: Path, cells: Sequence[Cell]) -> None:
    for number, cell in enumerate(cells, start=1):
        text = f"{number:3}  {read_state(folder / cell.name).status:11}  {cell.name}\n     {shlex.join(cell.command)}"
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    for missing in sorted({cell.missing for cell in cells if cell.missing}):
        console.print(f"missing: {missing}", soft_wrap=True, markup=False, highlight=False)


def _check(cells: Sequence[Cell]) -> None:
    """Check before any cell runs that models and data are there. The data is prepared once for all cells."""
    one_gpu = bool(visible_gpus())
    prepared = []
    for cell in cells:
        if cell.missing:
            raise ConfigError(cell.missing)
        if cell.config is None:
            continue
        if one_gpu and cell.config.trainer.devices > 1:
            raise ConfigError(f"trainer.devices={cell.config.trainer.devices}: a cell of a sweep gets one GPU")
        if cell.config.data not in prepared:
            prepare(cell.config.data)
            prepared.append(cell.config.data)


def _print_failures(console: Console, folder: Path, cells: Sequence[Cell]) -> int:
    failed = [cell for cell in cells if read_state(folder / cell.name).status != "done"]
    for cell in failed:
        state, lines = read_state(folder / cell.name), log_lines(folder / cell.name)[-TAIL:]
        head = f"{state.status}, exit status {state.exit_status}: {folder / cell.name}/log.txt"
        text = "\n".join([head, *(f"  | {line}" for line in lines)])
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    if failed:
        text = f"{len(failed)} of {len(cells)} cells failed; run the same command to try them again"
        console.print(text, soft_wrap=True, highlight=False)
    return len(failed)
