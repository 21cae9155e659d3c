"""``fullseg model``: list the models that are known by name, or download one."""

import argparse


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    model = commands.add_parser("model", help="list the models that are known by name, or download one")
    kinds = model.add_subparsers(dest="kind", required=True)
    listed = kinds.add_parser("list", help="list the models that are known by name")
    listed.set_defaults(run=_list)
    get = kinds.add_parser("get", help="download a model")
    get.add_argument("name", metavar="NAME", help="one of fullseg model list")
    get.set_defaults(run=_get)


def _list(options: argparse.Namespace) -> int:  # noqa: ARG001  every command takes the options
    from fullseg.model.released import released_models

    for model in released_models():
        there = "on this machine" if model.path.is_file() else f"to download: fullseg model get {model.name}"
        print(f"{model.name:12}{model.size / 1e6:5.1f} MB  {there}\n    {model.about}")
    return 0


def _get(options: argparse.Namespace) -> int:
    from fullseg.data.download.model import download_model
    from fullseg.errors import ConfigError
    from fullseg.model.released import released_models

    known = {model.name: model for model in released_models()}
    if options.name not in known:
        raise ConfigError(f"model get {options.name}: no such model; there are {', '.join(known)}")
    model = known[options.name]
    if model.path.is_file():
        print(f"{model.name}: there already, {model.path}")
        return 0
    print(f"{model.name}: {download_model(model)}")
    return 0
