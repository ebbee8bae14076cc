"""Pictures of the documentation are small, and each is shown."""

from docs.tools.notebooks import FOLDER
from docs.tools.screenshots import IMAGES, MOST_BYTES, PICTURES
from tests.helpers.paths import ROOT

PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_pictures_are_small():
    sizes = [path.stat().st_size for path in IMAGES.iterdir()]
    assert max(sizes) <= MOST_BYTES
    assert sum(sizes) < 3_000_000
    assert all(path.stat().st_size < 300_000 for path in FOLDER.glob("*.ipynb"))


def test_every_picture_is_shown_and_every_screenshot_has_its_command():
    text = "".join(page.read_text() for page in PAGES)
    for path in IMAGES.iterdir():
        assert f"images/{path.name}" in text
    assert {path.stem for path in IMAGES.glob("*.webp")} == set(PICTURES)
