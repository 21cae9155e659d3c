"""Every option is documented."""

import ast
from pathlib import Path

from fullseg.config import schema
from fullseg.config.documentation import documented_options
from fullseg.config.load import plain
from fullseg.config.schema import Config
from tests.config.conftest import flat


def options_in_source() -> dict[str, ast.stmt | None]:
    """Return the statement below each option (not the sections, whose own class documents them)."""
    tree = ast.parse(Path(schema.__file__).read_text())
    below = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            for option, following in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(option, ast.AnnAssign) and not ast.unparse(option.annotation).endswith("Config"):
                    below[f"{node.name}.{ast.unparse(option.target)}"] = following
    return below


def test_every_option_has_a_docstring_below_it() -> None:
    below = options_in_source()

    assert len(below) == len(flat(plain(Config())))
    for name, statement in below.items():
        assert isinstance(statement, ast.Expr), name
        assert isinstance(statement.value, ast.Constant), name
        assert isinstance(statement.value.value, str), name
        assert len(statement.value.value) > 5, name


def test_described_are_all_options_with_their_defaults_and_docstrings() -> None:
    documented = {option.name: option for option in documented_options(Config)}

    assert {name: option.default for name, option in documented.items()} == flat(plain(Config()))
    assert documented["model.pretrained"].text.startswith("Start from the backbone's pretrained weights.")
    assert documented["seed"].text.startswith("Everything random is a function")
    assert str(documented["model.share"].allowed) == "none, points, all"
    assert str(documented["seed"].allowed) == "from 0 to 4294967295"
    assert str(documented["data.flip"].allowed) == "from 0 to 1"
    assert str(documented["model.pretrained"].allowed) == ""
