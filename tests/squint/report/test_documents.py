"""The HTML and the PDF of a report: whole, stamped, harmless, and readable."""

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

from squint.chrome import find_chrome
from squint.library.models import known
from squint.report.html import write_html
from squint.report.kept import gather, model_record, ranking_sections
from squint.report.pieces import Piece
from squint.report.recipe import GeneSet, Recipe
from squint.report.tables import compute
from squint.report.words import NOTICE
from tests.helpers.reports import Cohort, requests, silent

HOSTILE = "<script>alert(1)</script></style><img src=x onerror=alert(1)>\"'&\\"
TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "section",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "ul",
    ),
    *(
        "li",
        "figure",
        "figcaption",
        "img",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "b",
        "span",
    ),
}


class Tags(HTMLParser):
    """Notes all tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.text: list[str] = []

    def handle_starttag(  # noqa: D102 - of the parser
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [str(value) for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:  # noqa: D102 - of the parser
        self.text.append(data)


@pytest.fixture(scope="session")
def pieces(cohort: Cohort, names: tuple[str, str]) -> list[Piece]:
    shown = [cohort.sections[name] for name in names]
    ranking = ranking_sections(cohort.library, cohort.sha256, {"P-H", "P-L"})
    return gather(cohort.library, [cohort.library.get(one.id) for one in shown], ranking, cohort.sha256)[0]


@pytest.fixture(scope="session")
def recipe(cohort: Cohort, names: tuple[str, str], pieces: list[Piece]) -> Recipe:
    asked = requests(cohort, *names, "")["scores"]
    model = next(one for one in known(cohort.library, [cohort.model]) if one.sha256 == cohort.sha256)
    return Recipe(
        schema=1,
        squint="0.1.0",
        made="2026-01-01 00:00:00 UTC",
        title="Two toy sections",
        parts=asked.parts,
        sections=tuple(piece.record for piece in pieces),
        model=model_record(model),
        activation=asked.activation,
        comparison=asked.comparison,
        gene_sets=asked.gene_sets,
    )


def test_names_that_users_give_are_text_and_nothing_else(recipe: Recipe, pieces: list[Piece]) -> None:
    named = [
        Piece(
            replace(
                piece.record,
                name=f"{number} {HOSTILE}",
                types=replace(piece.record.types, words=HOSTILE),
                organ=HOSTILE,
            ),
            piece.adata,
            piece.left_out,
            piece.noted,
        )
        for number, piece in enumerate(pieces)
    ]
    hostile = replace(
        recipe,
        title=HOSTILE,
        sections=tuple(piece.record for piece in named),
        gene_sets=(GeneSet(HOSTILE, ("LDHA", HOSTILE)),),
    )
    html = write_html(compute(hostile, named, {}), silent)
    found = Tags()
    found.feed(html)
    assert found.tags <= TAGS
    assert not {name for name in found.attributes if name.startswith("on")}
    assert all(source.startswith("data:image/") for source in found.sources)
    assert HOSTILE in "".join(found.text)
    assert html.count("</style>") == 1


def test_the_page_needs_no_network_and_runs_nothing(recipe: Recipe, pieces: list[Piece]) -> None:
    html = write_html(compute(recipe, pieces, {}), silent)
    without_pictures = re.sub(r'src="data:[^"]*"', "", html)
    assert "http" not in without_pictures.replace("http-equiv", "")
    assert "default-src &#x27;none&#x27;" in html
    assert NOTICE in html
    assert html.count('<img alt=""') == 0
    assert html.count("<img ") == html.count('<img alt="')


@pytest.mark.parametrize("word", ["8 nearest cells", "below 0.25", "at most 5 asked", "0.05 added to both"])
def test_methods_say_the_parameters_of_the_recipe(recipe: Recipe, pieces: list[Piece], word: str) -> None:
    assert word in write_html(compute(recipe, pieces, {}), silent)


@pytest.mark.slow
@pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed")
def test_the_pdf_says_on_every_page_what_it_is_not_for(
    cohort: Cohort, names: tuple[str, str], set_id: str, tmp_path: Path
) -> None:
    asked: Mapping[str, object] = requests(cohort, *names, set_id)
    del tmp_path
    folder = cohort.make(asked["scores"])
    pdf = PdfReader(folder / "report.pdf")
    assert len(pdf.pages) > 3
    for number, page in enumerate(pdf.pages, 1):
        text = " ".join(page.extract_text().split())
        assert NOTICE in text
        assert f"Page {number} of {len(pdf.pages)}" in text
        width, height = page.mediabox.width, page.mediabox.height
        assert (round(width), round(height)) == (595, 842)  # A4, upright
    facts = pdf.metadata
    assert facts is not None
    assert str(facts["/Notice"]) == NOTICE
    assert cohort.sha256 in facts["/Model"]
    assert cohort.sections[names[0]].sha256 in facts["/Sections"]
