"""Areas that are marked on the page *In-painting*."""

from streamlit.testing.v1 import AppTest

from app.areas import marking
from squint.geometry.regions import Shape
from squint.library.store import Library, Section

PAGE = "in_painting"


def section_of(library: Library, name: str = "TOY-H-1") -> Section:
    """Give a section by its name."""
    return next(section for section in library.sections() if section.section == name)


def half(library: Library, section: Section) -> list[Shape]:
    """Mark the left half of a section."""
    cells = library.cells(section.id)
    return [marking.rectangle(section.section, [-1e4, float(cells["x"].median())], [-1e4, 1e4])]


def marked(app: AppTest, section: Section, regions: list[Shape]) -> AppTest:
    """Mark regions, and run the page."""
    app.session_state[f"marked-{section.id}"] = regions
    return app.run()
