"""``fullseg paper``: runs all stages that are not done yet, and writes the table and the page."""

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import IO

from rich.console import Console

from fullseg.errors import DataError
from fullseg.formats.atomic import write_text
from fullseg.paper.checks import PARTS, changing_options, check_options, check_stages, missing_data, write_options
from fullseg.paper.page import render
from fullseg.paper.provenance import evaluation_hashes
from fullseg.paper.results import Results, collect
from fullseg.paper.stages import RELEASED, RELEASED_FILE, Plan, make_stages, part_of
from fullseg.paper.tables import markdown, print_table
from fullseg.runs.stopping import Interrupted
from fullseg.sweeps.cell_folder import last_words, read_state
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.runner import Runner, alone
from fullseg.sweeps.waiting import waiting_cells


def reproduce_paper(plan: Plan, *, jobs: int | None, dry_run: bool, command: str) -> int:
    """Run the stages that are not done yet. Then print and write the table and the page.

    Args:
        plan: what is to be made.
        jobs: stages that run at once; None: as many as there are GPUs for, one on a CPU.
        dry_run: list the stages and run none.
        command: the command line that goes on after an interruption.

    Returns:
        Number of stages that failed, or that need one that failed.

    Raises:
        ConfigError: for wrong options or missing weights, before any stage runs.
        DataError: if no part of COCO is there, before any stage runs.
        Interrupted: after Ctrl-C, when the stages have stopped. The table has what there is.
    """
    console = Console(width=None if sys.stdout.isatty() else 140)
    cells = make_stages(plan)
    check_options(plan)
    missing = _missing(plan, console)
    chosen = [cell for cell in cells if part_of(cell.name) not in missing]
    if dry_run:
        _list(plan, cells, missing, console)
        return 0
    waiting = waiting_cells(chosen, plan.folder)
    if waiting:
        _say(console, f"checking data, options and initial weights of {len(waiting)} stages")
    check_stages(waiting, evaluation_hashes(plan, [cell for cell in chosen if cell not in waiting]))
    plan.folder.mkdir(parents=True, exist_ok=True)
    with alone(plan.folder) as lock:
        write_options(plan)
        try:
            _run(plan, chosen, jobs, lock, console)
        except Interrupted as stop:
            _write(plan, cells, missing, command)
            done = str(stop).split(". ", maxsplit=1)[0]
            there = f"What there is: {plan.folder}/paper.md, paper.html"
            raise Interrupted(f"{done}. {there}\nGo on with: {command}", stop.status) from stop
        results = _write(plan, cells, missing, command)
    print_table(console, results.rows, plan.seeds)
    _say(console, f"written     {plan.folder}/paper.md, {plan.folder}/paper.html")
    return _print_failures(plan, waiting_cells(chosen, plan.folder), command, console)


def _run(plan: Plan, cells: Sequence[Cell], jobs: int | None, lock: IO[str], console: Console) -> None:
    """Run the stages that are not done yet, each with the GPUs that trainer.devices asks for."""
    if waiting_cells(cells, plan.folder):
        _say(console, f"Each stage is a process of its own. Its output: {plan.folder}/STAGE/log.txt")
    gpus = max(1, *(cell.config.trainer.devices for cell in cells if cell.config is not None))
    runner = Runner(
        cells,
        folder=plan.folder,
        runs=plan.runs,
        jobs=jobs,
        lock=lock,
        console=console,
        gpus_each=gpus,
        unit="stages",
    )
    runner.run()


def _write(plan: Plan, cells: Sequence[Cell], missing: Collection[str], command: str) -> Results:
    """Write ``paper.md`` and ``paper.html`` of what there is."""
    waiting = {cell.name: cell for cell in waiting_cells(cells, plan.folder)}
    results = collect(plan, cells, lambda name: why_not(plan, waiting, missing, name))
    failed = failures(plan, cells)
    write_text(plan.folder / "paper.md", markdown(results.rows, plan.seeds, command, changing_options(plan), failed))
    write_text(plan.folder / "paper.html", render(plan, cells, results, command, failed))
    return results


def failures(plan: Plan, cells: Sequence[Cell]) -> list[str]:
    """Return a line for each stage that failed: its name, the reason, and its log."""
    failed = [cell.name for cell in cells if read_state(plan.folder / cell.name).status == "failed"]
    return [f"{name}: {last_words(plan.folder / name)} ({plan.folder / name}/log.txt)" for name in failed]


def why_not(plan: Plan, waiting: Mapping[str, Cell], missing: Collection[str], name: str) -> str:
    """Return why a stage has no result.

    Args:
        plan: the plan.
        waiting: its stages that are not done, by name.
        missing: the parts of COCO that are missing.
        name: of the stage.
    """
    state, part = read_state(plan.folder / name), part_of(name)
    if name == RELEASED and plan.weights is None:
        return f"no {RELEASED_FILE} in {plan.data}: put it there, or --dextr FILE"
    if state.status == "failed":
        return "failed"
    if state.status in ("interrupted", "running"):
        return "interrupted"
    if part in missing:
        return f"COCO's {part} data is not complete"
    needed = [other for other in waiting[name].needs if other in waiting] if name in waiting else []
    return f"needs {needed[0].split('/', maxsplit=1)[1]}" if needed else "not run yet"


def _missing(plan: Plan, console: Console) -> dict[str, list[str]]:
    """Return the missing parts of COCO, and say what cannot be run without them."""
    if not plan.data.is_dir():
        raise DataError(
            f"{plan.data}: no such folder; it is the folder of COCO. To get it: fullseg data coco --root DIR"
        )
    missing = missing_data(plan.data)
    lines = [line for some in missing.values() for line in some]
    if len(missing) == len(PARTS):
        raise DataError("\n       ".join(["neither part of COCO is complete, so nothing can be run:", *lines]))
    for part, some in missing.items():
        _say(console, "\n".join([f"{PARTS[part][0]} cannot be run:", *(f"  {line}" for line in some)]))
    return missing


def _list(plan: Plan, cells: Sequence[Cell], missing: Collection[str], console: Console) -> None:
    waiting = waiting_cells(cells, plan.folder)
    for cell in cells:
        state = read_state(plan.folder / cell.name).status if cell in waiting else "done"
        state = "no data" if cell in waiting and part_of(cell.name) in missing else state
        _say(console, f"{state:12}{cell.name}\n            {shlex.join(cell.command)}")


def _print_failures(plan: Plan, waiting: Sequence[Cell], command: str, console: Console) -> int:
    """Say which stages failed and why, and which are left out. Return their number."""
    for line in failures(plan, waiting):
        _say(console, f"failed      {line}")
    for cell in waiting:
        state = read_state(plan.folder / cell.name)
        if state.status == "interrupted":
            _say(console, f"killed      {cell.name}, exit status {state.exit_status}: it goes on from its checkpoint")
        elif state.status != "failed":
            _say(console, f"left out    {cell.name}, because it needs one that failed")
    if waiting:
        _say(console, f"try again   {command}")
    return len(waiting)


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
