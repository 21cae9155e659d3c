"""Reads and checks a sweep's YAML, the file that ``wandb sweep`` takes, and makes its combinations of parameters."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from fullseg.config.options import nearest
from fullseg.errors import ConfigError

KEYS = (  # the keys of W&B's schema (PyPI's sweeps 0.3.0)
    *("apiVersion", "command", "controller", "description", "early_terminate", "entity", "image_uri", "job", "kind"),
    *("method", "metric", "metrics", "name", "parameters", "program", "project", "run_cap", "scheduler"),
)
ELSEWHERE = {
    "early_terminate": "W&B's server stops runs early; here every cell runs to its end, so leave it out",
    "image_uri": "W&B Launch runs images; a sweep here has a command",
    "job": "W&B Launch runs jobs; a sweep here has a command",
    "metrics": "several metrics are for W&B's custom schedulers",
    "scheduler": "custom schedulers run on W&B's server",
}
DISTRIBUTIONS = {  # the keys that each distribution needs
    "constant": {"value"},
    "categorical": {"values"},
    "categorical_w_probabilities": {"values", "probabilities"},
    "int_uniform": {"min", "max"},
    "uniform": {"min", "max"},
    "log_uniform_values": {"min", "max"},
}
DRAWS_PER_CELL = 100  # after this many draws per cell a random sweep looks for no more new combinations


class Parameter(NamedTuple):
    """The values that one parameter may have."""

    distribution: str
    values: list[Any]  # all values, if they can be listed; else empty
    probabilities: list[float] | None
    low: float
    high: float


class Sweep(NamedTuple):
    """A checked sweep file."""

    name: str
    program: str
    command: list[str]  # words with W&B's macros; empty: W&B's default command
    combinations: list[dict[str, Any]]  # for each cell the value of each parameter, in W&B's (sorted) order
    varied: list[str]  # parameters with more than one value


def read_sweep(path: Path) -> Sweep:
    """Read and check a sweep.

    Raises:
        ConfigError: if W&B would also refuse the file, or if the file needs W&B's server.
    """
    content = _read(path)
    parameters = {name: _parameter(path, name, content["parameters"][name]) for name in sorted(content["parameters"])}
    cap = content.get("run_cap")
    if content["method"] == "grid":
        combinations = list(itertools.islice(_grid(path, parameters), cap))
    else:
        combinations = _random(path, parameters, cap)
    return Sweep(
        str(content.get("name", path.stem)),
        str(content.get("program", "")),
        [str(part) for part in content.get("command", [])],
        combinations,
        [name for name, parameter in parameters.items() if len(parameter.values) != 1],
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        known = sorted(str(file) for file in Path("sweeps").glob("*.yaml"))
        raise ConfigError(
            f"no sweep file {path}{nearest(str(path), known)}; there are {', '.join(known) or 'none here'}"
        )
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found {type(content).__name__}")
    _check(path, content)
    return content


def _check(path: Path, content: dict[str, Any]) -> None:
    for key in content:
        if key not in KEYS:
            raise ConfigError(f"{path}: unknown key {key!r}{nearest(str(key), KEYS)}")
        if key in ELSEWHERE:
            raise ConfigError(f"{path}: {key}: {ELSEWHERE[key]}")
    method = content.get("method")
    if method not in ("grid", "random"):
        why = "needs W&B's server: wandb sweep and wandb agent" if method in ("bayes", "custom") else "is no method"
        raise ConfigError(f"{path}: method={method!r} {why}; here: grid or random")
    if not isinstance(content.get("parameters"), dict) or not content["parameters"]:
        raise ConfigError(f"{path}: parameters: name at least one")
    if not isinstance(content.get("command", []), list):
        raise ConfigError(
            f"{path}: command={content['command']!r}: write a list with one word of the command line per item"
        )
    if not content.get("command") and not content.get("program"):
        raise ConfigError(f"{path}: write a command or a program")
    cap = content.get("run_cap", 1)
    if type(cap) is not int or cap < 1:
        raise ConfigError(f"{path}: run_cap={cap!r}: a positive number of cells")


def _parameter(path: Path, name: str, options: Any) -> Parameter:  # noqa: ANN401  YAML holds anything
    where = f"{path}: parameter {name}"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", str(name)):
        raise ConfigError(f"{where}: W&B takes letters, digits, '_', '-' and '.' in a name")
    if not isinstance(options, dict):
        raise ConfigError(f"{where}: {options!r}: write {{value: ...}} or {{values: [...]}}")
    if "parameters" in options:
        raise ConfigError(
            f"{where}: write nested parameters flat, with dots: {name}.{next(iter(options['parameters']))}"
        )
    given = set(options) - {"distribution"}
    known = {"distribution", *set().union(*DISTRIBUTIONS.values())}
    for key in sorted(map(str, given - known)):
        raise ConfigError(f"{where}: unknown key {key!r}{nearest(key, known)}; here: {', '.join(sorted(known))}")
    low, high = options.get("min", 0), options.get("max", 0)
    whole = type(low) is int and type(high) is int
    by_keys = [key for key, needed in DISTRIBUTIONS.items() if needed == given and (key != "int_uniform" or whole)]
    distribution = str(options.get("distribution", by_keys[0] if by_keys else ""))
    if DISTRIBUTIONS.get(distribution) != given:
        raise ConfigError(
            f"{where}: {options!r}: write value, values, or min and max (with one of {', '.join(DISTRIBUTIONS)})"
        )
    if given == {"min", "max"} and not (_numbers([low, high]) and low <= high and _positive(distribution, low)):
        raise ConfigError(f"{where}: min={low!r}, max={high!r}: no {distribution} range")
    values = options.get("values", [options["value"]] if "value" in options else [])
    if "values" in options and (not isinstance(values, list) or not values):
        raise ConfigError(f"{where}: values={values!r}: write a list of at least one")
    chances = options.get("probabilities")
    if chances is not None and not (_numbers(chances) and len(chances) == len(values) and sum(chances) > 0):
        raise ConfigError(f"{where}: probabilities={chances!r}: write one number per value")
    if distribution == "int_uniform":
        values = list(range(low, high + 1)) if high - low < 1000 else []
    return Parameter(distribution, values, chances, low, high)


def _numbers(values: Any) -> bool:  # noqa: ANN401  YAML holds anything
    return isinstance(values, list) and all(type(value) in (int, float) and np.isfinite(value) for value in values)


def _positive(distribution: str, low: float) -> bool:
    return distribution != "log_uniform_values" or low > 0


def _grid(path: Path, parameters: dict[str, Parameter]) -> Iterable[dict[str, Any]]:
    """Yield all combinations in W&B's order: parameters sorted by name, the last one changes fastest."""
    for name, parameter in parameters.items():
        if parameter.distribution not in ("constant", "categorical", "int_uniform") or not parameter.values:
            raise ConfigError(f"{path}: parameter {name}: a grid needs value or values, not {parameter.distribution}")
    choices = [parameter.values for parameter in parameters.values()]
    return (dict(zip(parameters, chosen, strict=True)) for chosen in itertools.product(*choices))


def _random(path: Path, parameters: dict[str, Parameter], cap: int | None) -> list[dict[str, Any]]:
    """Draw ``cap`` different combinations. They are the same every time, so that an interrupted sweep can go on."""
    if cap is None:
        raise ConfigError(f"{path}: method=random never ends by itself: set run_cap to the number of cells")
    rng = np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    for _ in range(DRAWS_PER_CELL * cap):
        drawn = {name: _draw(parameter, rng) for name, parameter in parameters.items()}
        if drawn not in found:
            found.append(drawn)
        if len(found) == cap:
            break
    return found


def _draw(parameter: Parameter, rng: np.random.Generator) -> Any:  # noqa: ANN401  a value of YAML
    if parameter.distribution == "uniform":
        return float(rng.uniform(parameter.low, parameter.high))
    if parameter.distribution == "log_uniform_values":
        return float(np.exp(rng.uniform(np.log(parameter.low), np.log(parameter.high))))
    if parameter.distribution == "int_uniform":
        return int(rng.integers(int(parameter.low), int(parameter.high) + 1))
    weights = None
    if parameter.probabilities is not None:
        weights = np.array(parameter.probabilities) / sum(parameter.probabilities)
    return parameter.values[int(rng.choice(len(parameter.values), p=weights))]
