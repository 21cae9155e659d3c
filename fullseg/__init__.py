"""Interactive full image segmentation by considering all regions jointly."""

from fullseg.model.predictor import Predictor
from fullseg.types import VOID, Annotations, Scribble

__all__ = ["VOID", "Annotations", "Predictor", "Scribble"]
