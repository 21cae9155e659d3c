"""The simulated annotator: numpy, no network."""

from fullseg.simulation.extreme_points import simulate_extreme_points

__all__ = ["simulate_extreme_points"]
