"""fullseg installed from a wheel and from a source distribution: everything comes with it, and it needs no checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path, path: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(*folders: str) -> list[str]:
    """Return the files of the checkout, also new ones that git does not know yet."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *folders)
    return [name for name in run(*command, cwd=ROOT).splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a source distribution, made in a copy of the checkout."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked("fullseg", "pyproject.toml", "README.md", "LICENSE"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    build = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
    return folder / "dist" / run(sys.executable, "-c", build, cwd=folder).splitlines()[-1]


@pytest.fixture(scope="module", params=["checkout", "source distribution"])
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return a folder with fullseg, from a wheel that was built of the checkout or of the source distribution."""
    folder = tmp_path_factory.mktemp("installed")
    origin = source if request.param == "source distribution" else source.parents[1]
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "wheels", str(origin), cwd=folder)
    [wheel] = (folder / "wheels").glob("fullseg-*.whl")
    run(*pip, "install", "--no-deps", "--target", "site", str(wheel), cwd=folder)
    return folder / "site"


def test_every_file_of_the_package_is_there(installed: Path) -> None:
    missing = [name for name in tracked("fullseg") if not (installed / name).is_file()]
    assert missing == []


def test_it_works_outside_of_a_checkout(installed: Path, tmp_path: Path) -> None:
    place = run(sys.executable, "-c", "import fullseg; print(fullseg.__file__)", cwd=tmp_path, path=installed)
    assert Path(place.strip()) == installed / "fullseg" / "__init__.py"
    predict = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from fullseg import Annotations, Predictor\n"
        "from fullseg.cli.annotate import PHOTOGRAPHS\n"
        "from fullseg.formats.image_file import read_image\n"
        "predictor = Predictor.from_checkpoint('photos')\n"
        "predictor.set_image(read_image(PHOTOGRAPHS / 'coffee.jpg'))\n"
        "cup = np.array([[[173, 100], [290, 18], [409, 115], [215, 307]]], np.float32)\n"
        "print(predictor.predict(Annotations(cup, []), partly=True)[60, 290])\n"
    )
    assert run(sys.executable, "-c", predict, cwd=tmp_path, path=installed) == "0\n"
    assert "on this machine" in run(sys.executable, "-m", "fullseg", "model", "list", cwd=tmp_path, path=installed)
