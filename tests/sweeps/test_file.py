from pathlib import Path

import pytest

from fullseg.errors import ConfigError
from fullseg.sweeps.file import Sweep, read_sweep

HEAD = "method: grid\nprogram: train.py\n"


def read(folder: Path, text: str) -> Sweep:
    (folder / "s.yaml").write_text(text)
    return read_sweep(folder / "s.yaml")


def test_a_grid_is_in_wandbs_order(tmp_path: Path) -> None:
    """PyPI's sweeps 0.3.0 sorts the parameters by name, and the last one changes fastest."""
    sweep = read(tmp_path, HEAD + "parameters: {c: {values: [x, y]}, b: {value: true}, a: {min: 1, max: 2}}")
    assert sweep.combinations == [
        {"a": 1, "b": True, "c": "x"},
        {"a": 1, "b": True, "c": "y"},
        {"a": 2, "b": True, "c": "x"},
        {"a": 2, "b": True, "c": "y"},
    ]
    assert [list(combination) for combination in sweep.combinations] == [["a", "b", "c"]] * 4
    assert sweep.varied == ["a", "c"]
    assert (sweep.name, sweep.program, sweep.command) == ("s", "train.py", [])


def test_run_cap_ends_a_grid(tmp_path: Path) -> None:
    sweep = read(tmp_path, HEAD + "run_cap: 2\nparameters: {a: {values: [3, 2, 1]}}")
    assert sweep.combinations == [{"a": 3}, {"a": 2}]


def test_random_cells_differ_stay_the_same_and_go_on(tmp_path: Path) -> None:
    text = "method: random\nprogram: p\nrun_cap: {}\nparameters:\n  a: {{values: [1, 2, 3]}}\n  b: {{min: 1, max: 4}}\n"
    text += "  c: {{min: 0.5, max: 0.75}}\n  d: {{distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-2}}\n"
    text += "  e: {{values: [x, y], probabilities: [0, 3]}}\n"
    few, many = read(tmp_path, text.format(5)).combinations, read(tmp_path, text.format(40)).combinations
    assert many[:5] == few
    assert len({str(drawn) for drawn in many}) == 40
    assert {drawn["a"] for drawn in many} == {1, 2, 3}
    assert {drawn["b"] for drawn in many} == {1, 2, 3, 4}
    assert all(0.5 <= drawn["c"] <= 0.75 and 1e-4 <= drawn["d"] <= 1e-2 for drawn in many)
    assert 5 < sum(drawn["d"] < 1e-3 for drawn in many) < 35  # equally many in each decade
    assert {drawn["e"] for drawn in many} == {"y"}


def test_a_random_sweep_ends_when_there_are_no_more_combinations(tmp_path: Path) -> None:
    found = read(tmp_path, "method: random\nprogram: p\nrun_cap: 9\nparameters: {a: {values: [1, 2]}}").combinations
    assert sorted(drawn["a"] for drawn in found) == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "paramters: {a: {value: 1}}", "s.yaml: unknown key 'paramters'; did you mean 'parameters'?"),
        (HEAD + "parameters: {a: {vales: [1]}}", "parameter a: unknown key 'vales'; did you mean 'values'?"),
        (HEAD + "parameters: {a: [1, 2]}", r"parameter a: \[1, 2\]: write {value: ...}"),
        (HEAD + "parameters: {a: {values: []}}", r"parameter a: values=\[\]: write a list of at least one"),
        (HEAD + "parameters: {a: {value: 1, values: [1]}}", "parameter a: .* write value, values, or min and max"),
        (HEAD + "parameters: {model: {parameters: {share: {value: all}}}}", "flat, with dots: model.share"),
        (HEAD + "parameters: {a b: {value: 1}}", "parameter a b: W&B takes letters"),
        (HEAD + "parameters: {a: {min: 0.5, max: 2}}", "parameter a: a grid needs value or values, not uniform"),
        (HEAD + "parameters: {a: {min: 3, max: 2}}", "min=3, max=2: no int_uniform range"),
        (HEAD + "parameters: {a: {distribution: normal, min: 3, max: 4}}", "with one of constant, categorical"),
        (HEAD + "parameters: {}", "parameters: name at least one"),
        (HEAD + "run_cap: 0\nparameters: {a: {value: 1}}", "run_cap=0: a positive number"),
        (HEAD + "command: python x\nparameters: {a: {value: 1}}", "command='python x': write a list"),
        (HEAD + "early_terminate: {type: hyperband}\nparameters: {a: {value: 1}}", "early_terminate: W&B's server"),
        ("method: bayes\nprogram: p\nparameters: {a: {value: 1}}", "method='bayes' needs W&B's server: wandb sweep"),
        ("method: gird\nprogram: p\nparameters: {a: {value: 1}}", "method='gird' is no method; here: grid or random"),
        ("method: random\nprogram: p\nparameters: {a: {value: 1}}", "set run_cap to the number of cells"),
        ("method: grid\nparameters: {a: {value: 1}}", "write a command or a program"),
        ("method: [", "s.yaml is not valid YAML"),
        ("- 1", "expected 'key: value' lines, found list"),
    ],
)
def test_a_wrong_file_is_an_error_that_helps(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


def test_a_missing_file_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "loss.yaml").touch()
    with pytest.raises(ConfigError, match=r"no sweep file sweeps/los.yaml; did you mean 'sweeps/loss.yaml'\?"):
        read_sweep(Path("sweeps/los.yaml"))
