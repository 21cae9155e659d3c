"""The labels at the size of the file: enlarged, with exact pixels where a person decided."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fullseg.annotator.full_size import full_map, nearest
from fullseg.annotator.layer import Layer, Sizes
from fullseg.annotator.work import Region, Work
from fullseg.types import VOID

SIZES = Sizes(full=(12, 18), seen=(4, 6))
WORK = Work(SIZES.seen, regions=tuple(Region(number, "", None, ((0, 0),) * 4, None) for number in (1, 2, 3)))


def empty() -> Layer:
    return Layer(SIZES, np.zeros(SIZES.full, np.int32), np.zeros(SIZES.full, np.int32), {})


def test_without_decisions_each_label_is_a_block() -> None:
    seen = np.arange(24).reshape(4, 6) % 4 - 1
    np.testing.assert_array_equal(full_map(seen, WORK, None, SIZES.full), seen.repeat(3, axis=0).repeat(3, axis=1))


def test_a_painted_pixel_takes_none_of_its_block_along() -> None:
    """The page shows the whole block as painted, because the pixel is at its centre."""
    layer, seen = empty(), np.zeros(SIZES.seen, np.int64)
    layer.painted[4, 7] = 3
    seen[1, 2] = 2
    expected = np.zeros(SIZES.full, np.int64)
    expected[4, 7] = 2
    np.testing.assert_array_equal(full_map(seen, WORK, layer, SIZES.full), expected)


def test_an_erased_pixel_goes_to_the_nearest_region_that_may_have_it() -> None:
    layer, seen = empty(), np.zeros(SIZES.seen, np.int64)
    seen[:, 3:], seen[:, 5:] = 1, 2
    for region in (1, 2):  # the page's pixel has region 1 nevertheless: its centre is another pixel
        layer.barred[region] = np.array([3 * 18 + 6])  # type: ignore[index]
    found = full_map(seen, WORK, layer, SIZES.full)
    assert found[3, 6] == 2
    found[3, 6] = 0
    np.testing.assert_array_equal(found, full_map(seen, WORK, None, SIZES.full))


@given(st.integers(0, 2**32 - 1))
def test_a_wrong_pixel_gets_the_value_of_a_source_none_is_nearer_than(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (12, 15))
    wrong, sources = rng.random((12, 15)) < 0.3, rng.random((12, 15)) < 0.2
    sources &= ~wrong
    found = nearest(values, wrong, sources)
    np.testing.assert_array_equal(found[~wrong], values[~wrong])
    places = np.argwhere(sources)
    for y, x in np.argwhere(wrong):
        if not len(places):
            assert found[y, x] == VOID
            continue
        far = np.hypot(*(places - (y, x)).T)
        near = {int(values[tuple(place)]) for place in places[far <= far.min() * 1.02 + 0.02]}  # cv2 is not quite exact
        assert int(found[y, x]) in near
