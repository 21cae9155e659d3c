"""How the page shows the labels, in a real Chromium: the heat map, and pixels without a region."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import expect
from scipy import ndimage

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow


def at_pixels(person: Person, shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the colour at the centre of each pixel of the image, (H, W, 3)."""
    box = person.page.locator("#canvas").bounding_box()
    assert box is not None
    (left, top), (right, bottom) = person.screen((0, 0)), person.screen((239, 179))
    columns = np.linspace(left - box["x"], right - box["x"], 240).astype(int)
    rows = np.linspace(top - box["y"], bottom - box["y"], 180).astype(int)
    return shown[np.ix_(rows, columns)]


def test_the_heat_map_shows_where_the_model_is_unsure(person: Person) -> None:
    person.act(0, kind="add", points=WIDE)
    person.act(0, kind="add", points=SMALL)
    with person.page.expect_request("**/labels?*heat=0*"):  # it is not sent while nobody looks at it
        person.open(0)
    person.key("h")
    person.page.evaluate("() => (document.getElementById('opacity').value = 100)")
    with person.page.expect_response("**/labels?*heat=1*"):
        person.key("u")
    person.settle()
    person.key("Shift+BracketRight")
    shown = at_pixels(person, person.colours())
    url = f"{person.address}api/images/0/labels?revision=2&heat=1"
    body = np.frombuffer(person.page.request.get(url).body(), np.uint8)
    uncertainty = body[2 * 240 * 180 : 3 * 240 * 180].reshape(180, 240).astype(int)
    unsure = uncertainty > 120  # there the map is nearly opaque
    assert unsure.any()
    np.testing.assert_allclose(shown[unsure][:, 0], 255, atol=16)
    np.testing.assert_allclose(shown[unsure][:, 1], 190 - (uncertainty[unsure] * 190 >> 8), atol=16)
    with person.page.expect_request("**/labels?*heat=1*"):
        person.mark([[20, 120], [40, 110], [60, 130], [40, 150]])
    expect(person.page.locator("#heat")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(("number", "grey"), [(1, 0), (2, 128), (3, 255)])
def test_pixels_without_a_region_are_hatched_on_every_picture(person: Person, number: int, grey: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (240, 180), (grey, grey, grey)).save(file, "PNG")
    person.page.route("**/pixels?*", lambda route: route.fulfill(body=file.getvalue(), content_type="image/png"))
    person.open(number)
    assert (at_pixels(person, person.colours()) == grey).all()  # hatching would say nothing yet
    person.mark(WIDE)
    person.key("Escape")
    change = np.abs(at_pixels(person, person.colours()) - grey).sum(axis=2)
    void = ndimage.binary_erosion(person.labels() == -1, iterations=3)
    region = ndimage.binary_erosion(person.labels() == 0, iterations=3)
    assert 0.1 < np.mean(change[void] > 100) < 0.5
    assert np.mean(change[void] == 0) > 0.4
    assert np.ptp(change[region]) == 0  # no line there
    person.key("h")
    assert (at_pixels(person, person.colours())[void] == grey).all()
