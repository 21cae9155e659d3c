"""Interactive full image segmentation by considering all regions jointly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullseg.data.datamodule import InteractiveDataModule
    from fullseg.model.predictor import Predictor
    from fullseg.training.module import SegmenterModule
    from fullseg.training.study_callback import Study
    from fullseg.types import BACKGROUND, VOID, Annotations, Scribble
else:
    _PLACES = {
        "BACKGROUND": "types",
        "VOID": "types",
        "Annotations": "types",
        "InteractiveDataModule": "data.datamodule",
        "Predictor": "model.predictor",
        "Scribble": "types",
        "SegmenterModule": "training.module",
        "Study": "training.study_callback",
    }

    def __getattr__(name: str) -> Any:  # noqa: ANN401  any of the names below
        """Import a name when it is asked for: PyTorch and timm take seconds that most commands can do without."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


__all__ = [
    "BACKGROUND",
    "VOID",
    "Annotations",
    "InteractiveDataModule",
    "Predictor",
    "Scribble",
    "SegmenterModule",
    "Study",
]
