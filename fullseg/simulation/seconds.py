"""How long an annotator takes: for extreme points and for scribbles."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Seconds(NamedTuple):
    """The time that the simulated annotator takes."""

    region: float = 7.0  # for the four extreme points of a region (paper; Papadopoulos et al., 2017)
    scribble: float = 0.0  # for a scribble, beside drawing it
    pixel: float = 0.0  # for a pixel of a scribble's length
    hesitation: float = 0.0  # standard deviation of the natural logarithm of a scribble's time

    @property
    def known(self) -> bool:
        """Whether the time of a scribble is known."""
        return self.scribble > 0 or self.pixel > 0

    def of_scribbles(self, lengths: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the times (S,) of S scribbles; their mean does not depend on the hesitation.

        Args:
            lengths: (S,) in pixels.
            rng: source of the hesitation.
        """
        return (self.scribble + self.pixel * lengths) * self.factors(len(lengths), rng)

    def factors(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return by how much longer than on average actions take: (count,), log-normal with mean 1."""
        return rng.lognormal(-(self.hesitation**2) / 2, self.hesitation, count)

    def of_rounds(
        self, regions: int, lengths: Sequence[NDArray[np.float64]], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the time (R + 1,) that an image has taken after the extreme points, and after each of R rounds.

        Args:
            regions: number of regions.
            lengths: of each round the lengths of its scribbles in pixels.
            rng: source of the hesitation.
        """
        rounds = [float(self.of_scribbles(some, rng).sum()) for some in lengths]
        return np.cumsum([self.region * regions, *rounds])


PAPER = Seconds()  # the paper knows the time of extreme points alone
