"""Interactive full image segmentation by considering all regions jointly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor
    from fullseg.types import VOID, Annotations, Scribble
else:
    _PLACES = {"Predictor": "model.predictor", "VOID": "types", "Annotations": "types", "Scribble": "types"}

    def __getattr__(name: str) -> Any:  # noqa: ANN401  any of the names below
        """Import a name when it is asked for: PyTorch and timm take seconds that most commands can do without."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


__all__ = ["VOID", "Annotations", "Predictor", "Scribble"]
