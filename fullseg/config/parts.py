"""Parts of a set of images, as options name them."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np  # options are read before what takes seconds to import
    from numpy.typing import NDArray


class Parts(NamedTuple):
    """Some of the equal parts that a set of images is divided into."""

    first: int  # 1 <= first <= last <= total
    last: int
    total: int

    @property
    def exist(self) -> bool:
        """Whether there are such parts."""
        return 1 <= self.first <= self.last <= self.total

    def hold(self, hashes: "NDArray[np.uint64]") -> "NDArray[np.bool_]":
        """Return which images are in these parts, by the hash of their name; raise ValueError if the parts are none."""
        if not self.exist:
            raise ValueError(f"parts {self.first} to {self.last} of {self.total}: 1 <= first <= last <= total")
        part = hashes % self.total + 1
        inside: NDArray[np.bool_] = (part >= self.first) & (part <= self.last)
        return inside
