"""The simulated annotator (paper, Sec. 4): numpy alone, no network."""

from fullseg.simulation.allocation import allocate
from fullseg.simulation.errors import ErrorRegion, error_regions
from fullseg.simulation.extreme_points import simulate_extreme_points
from fullseg.simulation.scribbles import simulate_scribble, simulate_scribbles

__all__ = [
    "ErrorRegion",
    "allocate",
    "error_regions",
    "simulate_extreme_points",
    "simulate_scribble",
    "simulate_scribbles",
]
