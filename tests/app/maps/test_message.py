"""What the map in the browser is told, and what its routes answer."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from starlette.applications import Starlette
from starlette.testclient import TestClient

import squint.io
from app.maps import contract, message, views
from app.maps import tables as columns
from app.maps.served import MAPS, Served
from app.maps.type_colours import type_colours
from app.routes.maps import ROUTES
from app.web.assets import MAP_ASSETS
from app.web.buffers import BUFFERS, LIFETIME_S, SIGNER, Buffers, Signer, seconds_left
from squint import keys
from squint.library import ingest
from squint.library.points import progressive_order
from squint.library.store import Library
from squint.library.transcripts import Spots
from squint.pl import LIGHT, Categories, Continuous, Panel, most_frequent
from tests.helpers.tissue import outlined, section


@pytest.fixture
def browser() -> Iterator[TestClient]:
    """Ask the routes as a browser would."""
    with TestClient(Starlette(routes=ROUTES)) as client:
        yield client


@pytest.fixture
def view(loaded: Library) -> views.MapView:
    """Show all toy sections by cell type."""
    sections = loaded.sections()
    return views.by_type(loaded, sections, views.cells_of(loaded, sections))


def served(library: Library, view: views.MapView) -> tuple[contract.Described, Served]:
    described, orders = message.describe(library, view, LIGHT)
    return described, MAPS.serve("a" * 32, Served.of(library, view, orders, described))


@given(arrays(np.float64, st.tuples(st.integers(0, 70), st.just(2)), elements=st.floats(-1e3, 1e3)))
def test_every_cell_is_sent_once(coordinates: np.ndarray) -> None:
    assert sorted(progressive_order(coordinates)) == list(range(len(coordinates)))


def test_the_first_cells_are_spread_over_the_tissue() -> None:
    coordinates = np.random.default_rng(0).uniform(0, 1, (40_000, 2))
    first = coordinates[progressive_order(coordinates)[:1_600]]
    counts, *_ = np.histogram2d(first[:, 0], first[:, 1], bins=8, range=[(0, 1), (0, 1)])
    drawn = coordinates[:1_600]
    at_random, *_ = np.histogram2d(drawn[:, 0], drawn[:, 1], bins=8, range=[(0, 1), (0, 1)])
    assert counts.min() > 15  # of 25
    assert counts.std() < 0.6 * at_random.std()


def test_buffers_are_named_by_content_and_the_oldest_are_forgotten() -> None:
    buffers = Buffers(max_bytes=10)
    first, second = buffers.put(b"12345"), buffers.put(b"67890")
    assert buffers.put(b"12345") == first
    third = buffers.put(b"abcde")
    assert buffers.get(second) is None
    assert (buffers.get(first), buffers.get(third)) == (b"12345", b"abcde")
    buffers.get(first)
    fourth = buffers.put(b"fghij")
    assert (buffers.get(first), buffers.get(third), buffers.get(fourth)) == (b"12345", None, b"fghij")


def test_what_is_larger_than_all_buffers_together_is_kept_alone() -> None:
    buffers = Buffers(max_bytes=10)
    small, large = buffers.put(b"12345"), buffers.put(b"0" * 100)
    assert (buffers.get(small), buffers.get(large)) == (None, b"0" * 100)
    small = buffers.put(b"12345")
    assert (buffers.get(small), buffers.get(large)) == (b"12345", None)


@given(st.text(), st.dictionaries(st.sampled_from(["until", "key"]), st.text()))
def test_only_what_was_signed_here_is_accepted(path: str, query: dict[str, str]) -> None:
    assert not SIGNER.accepts(path, query)


def test_a_signed_address_expires_and_counts_for_its_path_alone() -> None:
    signer = Signer(b"secret")
    path, query = signer.sign("/map/x", now=1_000).split("?")
    asked = dict(part.split("=") for part in query.split("&"))
    assert signer.accepts(path, asked, now=1_000)
    assert not signer.accepts("/map/y", asked, now=1_000)
    assert not Signer(b"other").accepts(path, asked, now=1_000)
    assert not signer.accepts(path, asked | {"until": "9" * 5_000}, now=1_000)
    assert signer.accepts(path, asked, now=1_000 + LIFETIME_S)
    assert seconds_left(asked, now=1_000) == 2 * LIFETIME_S - 1_000 % LIFETIME_S
    assert seconds_left(asked, now=1_000 + 2 * LIFETIME_S) == 0
    assert not signer.accepts(path, asked, now=1_000 + 2 * LIFETIME_S)


def test_cells_arrive_in_the_order_they_are_drawn(
    loaded: Library, view: views.MapView, browser: TestClient
) -> None:
    described, map_ = served(loaded, view)
    scale = described["scale"]
    assert scale["kind"] == "labels"
    for panel, order, sent in zip(view.panels, map_.orders, described["panels"], strict=True):
        points = np.frombuffer(browser.get(sent["points"]["url"]).content, "<f4").reshape(-1, 2)
        np.testing.assert_allclose(points + sent["origin"], panel.coordinates[order], atol=1e-3)
        codes = np.frombuffer(browser.get(sent["values"]["url"]).content, np.uint8)
        labels = np.asarray(panel.labels, dtype=object)[order]
        for place, entry in enumerate(scale["entries"]):
            assert ((codes == place) == (labels == entry["label"])).all()
    assert sum(entry["n"] for entry in scale["entries"]) + scale["rest"]["n"] == 240
    assert len(json.dumps(described)) < 20_000


def test_a_missing_number_is_sent_as_no_number_and_counted(loaded: Library) -> None:
    sections = loaded.sections()[:1]
    cells = views.cells_of(loaded, sections)
    values = np.arange(60, dtype=np.float32)
    values[:20] = np.nan
    described, map_ = served(loaded, views.by_number("number", sections, cells, values))
    sent = described["panels"][0]["values"]
    content = np.frombuffer(BUFFERS.get(sent["name"]) or b"", f"<{sent['type']}")
    np.testing.assert_array_equal(content == sent["missing"], np.isnan(values)[map_.orders[0]])
    assert described["scale"]["missing"]["n"] == 20
    assert described["panels"][0]["said"] == "60 cells, 20 without a value"


_NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32) | st.integers(0, 70_000) | st.just(np.nan)


@given(arrays(np.float32, st.integers(0, 30), elements=_NUMBERS))
def test_numbers_are_packed_without_loss(numbers: np.ndarray) -> None:
    sent, missing = message.packed(numbers)
    back = np.where(sent == sent.dtype.type(missing), np.nan, sent.astype(np.float64))
    np.testing.assert_array_equal(back, numbers.astype(np.float64))


def test_counts_are_sent_in_as_few_bytes_as_hold_them() -> None:
    for highest, kind in ((254, "u1"), (255, "u2"), (65_534, "u2"), (65_535, "f4"), (0.5, "f4"), (-1, "f4")):
        assert message.packed(np.array([0, highest, np.nan], np.float32))[0].dtype == np.dtype(f"<{kind}")


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_outlines_keep_their_shape_in_any_unit(loaded: Library, size: float) -> None:
    view = views.by_type(loaded, loaded.sections()[:1], views.cells_of(loaded, loaded.sections()[:1]))
    corners = size * np.array([[0.1234, 0.2], [0.1236, 0.2], [0.1235, 0.9]])
    panel = replace(view.panels[0], coordinates=view.panels[0].coordinates * size / 100, outlines=(corners,))
    described, _ = message.describe(loaded, replace(view, panels=(panel,), whole=False), LIGHT)
    np.testing.assert_allclose(described["panels"][0]["outlines"][0], corners, atol=3e-6 * size)


def test_an_address_that_was_not_signed_is_refused(
    loaded: Library, view: views.MapView, browser: TestClient
) -> None:
    described, _ = served(loaded, view)
    good = described["panels"][0]["points"]["url"]
    assert browser.get(good).status_code == 200
    for bad in (good.split("?")[0], good[:-1] + ("0" if good[-1] != "0" else "1")):
        answer = browser.get(bad)
        assert answer.status_code == 403
        assert b"cell" not in answer.content
    for path in ("/map/" + "a" * 32 + "/cell/0/0", "/map/" + "a" * 32 + "/state"):
        assert browser.request("POST" if "state" in path else "GET", path).status_code == 403


def test_a_card_tells_of_the_cell_that_was_drawn_there(
    loaded: Library, view: views.MapView, browser: TestClient
) -> None:
    _, map_ = served(loaded, view)
    path, query = SIGNER.sign("/map/" + "a" * 32).split("?")
    answer = browser.get(f"{path}/cell/2/7?{query}")
    told = dict(answer.json())
    section = view.sections[2]
    cells = loaded.cells(section.id)
    row = int(map_.orders[2][7])
    assert told["cell"] == cells.index[row]
    assert told["type"] == cells[keys.CELL_TYPE].iloc[row]
    gene, count = told["top genes"].split(", ")[0].rsplit(" ", 1)
    assert loaded.gene(section.id, gene)[row] == float(count)
    counts = [loaded.gene(section.id, name)[row] for name in loaded.genes(section.id)]
    assert max(counts) == float(count)
    assert browser.get(f"{path}/cell/9/0?{query}").status_code == 404
    assert browser.get(f"{path}/cell/0/60?{query}").status_code == 404


def test_the_readers_settings_are_kept_and_nonsense_is_not(
    loaded: Library, view: views.MapView, browser: TestClient
) -> None:
    _, map_ = served(loaded, view)
    path, query = SIGNER.sign("/map/" + "a" * 32).split("?")
    address = f"{path}/state?{query}"
    assert browser.post(address, json={"size": 2}).status_code == 204
    assert map_.state == {"size": 2}
    for nonsense, status in ((b"[1]", 400), (b"{", 400), (b'"' + b"x" * 70_000 + b'"', 413)):
        assert browser.post(address, content=nonsense).status_code == status
    assert map_.state == {"size": 2}
    assert served(loaded, view)[1].state == {"size": 2}  # a rerun of the page keeps them


def test_what_was_told_of_another_map_is_forgotten(loaded: Library) -> None:
    sections = loaded.sections()
    cells = views.cells_of(loaded, sections)
    described, map_ = served(loaded, views.by_depth(sections, cells))
    told = {
        "size": 2,
        "coloured": f"numbers {described['scale']['title']}",
        "range": [1, 2],
        "classes": True,
        "panels": [{"points": panel["points"]["name"], "x": 0} for panel in described["panels"]],
        "camera": {"first": 1},
    }
    map_.remember(told)
    assert map_.state == told
    gene = loaded.genes(sections[0].id)[0]
    _, map_ = served(loaded, views.by_gene(loaded, sections, cells, gene))  # the same cells
    assert set(map_.state) == {"size", "coloured", "panels", "camera"}
    map_.remember(told)  # still on its way when the page ran again
    assert set(map_.state) == {"size", "coloured", "panels", "camera"}
    _, map_ = served(loaded, views.by_depth(sections, cells))
    map_.remember(told)
    _, map_ = served(loaded, views.by_depth(sections[:2], views.cells_of(loaded, sections[:2])))
    assert set(map_.state) == {"size", "coloured", "range", "classes"}


def test_a_cell_type_keeps_its_colour_whatever_is_beside_it(loaded: Library) -> None:
    def colours(n: int) -> dict[str, str]:
        sections = loaded.sections()[-n:]
        cells = views.cells_of(loaded, sections)
        view = views.by_type(loaded, sections, cells)
        return dict(view.scale.coloured(LIGHT))

    every = colours(4)
    assert len(set(every.values())) == len(every) > 1
    for n in (1, 2, 3):
        assert colours(n).items() <= every.items()
    many = [*every, *(f"type {i}" for i in range(8 - len(every)))]
    given = type_colours(loaded, many)
    assert len(set(given.values())) == 8
    assert every.items() <= given.items()


def test_browsers_keep_what_they_got_no_longer_than_its_address_is_good(
    loaded: Library, view: views.MapView, browser: TestClient
) -> None:
    described, _ = served(loaded, view)
    address = described["panels"][0]["points"]["url"]
    kept = browser.get(address).headers["cache-control"]
    until = int(address.split("until=")[1].split("&")[0])
    told, max_age, immutable = kept.split(", ")
    assert (told, immutable) == ("private", "immutable")
    assert 0 < int(max_age.removeprefix("max-age=")) <= until - time.time() + 5
    assert until - time.time() <= 2 * LIFETIME_S


def test_scripts_are_served_under_their_hash(browser: TestClient) -> None:
    address = MAP_ASSETS.address
    answer = browser.get(f"{address}/map.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get(f"{address}/../routes.py").status_code == 404
    assert browser.get("/map/assets/0000/map.js").status_code == 404


labels = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=30)


@given(labels)
def test_codes_say_the_same_as_labels(values: list[str | None]) -> None:
    codes = columns.codes(pd.Categorical(values), ["b", "c"])
    expected = {"b": 0, "c": 1, "a": columns.OTHER, None: columns.ABSENT}
    assert codes.tolist() == [expected[value] for value in values]


@given(labels, labels)
def test_stacked_tables_keep_labels_and_fill_what_is_missing(
    one: list[str | None], other: list[str | None]
) -> None:
    tables = [
        pd.DataFrame({"x": range(len(one)), "label": pd.Categorical(one)}),
        pd.DataFrame({"x": range(len(other)), "label": pd.Categorical(other)}),
        pd.DataFrame({"x": [1.0]}),
    ]
    stacked = columns.stack(tables)
    assert isinstance(stacked["label"].dtype, pd.CategoricalDtype)
    assert [None if pd.isna(label) else label for label in stacked["label"]] == [*one, *other, None]
    assert stacked["x"].tolist() == [*range(len(one)), *range(len(other)), 1.0]


@given(labels)
def test_labels_as_categories_and_as_objects_are_one_panel(values: list[str | None]) -> None:
    place = np.zeros((len(values), 2))
    one, other = (
        Panel("", place, kind(values)) for kind in (pd.Categorical, lambda v: np.array(v, dtype=object))
    )
    np.testing.assert_array_equal(one.missing, other.missing)
    np.testing.assert_array_equal(one.has(["a", "c"]), other.has(["a", "c"]))
    assert one.n_of("a") == other.n_of("a") == values.count("a")
    assert most_frequent(one.labels) == most_frequent(np.array(values, dtype=object))


def test_ranges_of_panels_are_told_for_readers_who_unlock_the_scale(loaded: Library) -> None:
    sections = loaded.sections()[:2]
    cells = views.cells_of(loaded, sections)
    values = np.concatenate([np.linspace(0, 1, 60), np.linspace(0, 100, 60)]).astype(np.float32)
    described, _ = served(loaded, views.by_number("number", sections, cells, values))
    scale = described["scale"]
    assert scale["kind"] == "numbers"
    assert [high for _, high in scale["ranges"]] == pytest.approx([1, 100], rel=0.02)


def test_highlighted_labels_are_at_most_eight(loaded: Library) -> None:
    names = tuple("abcdefghijkl")
    panel = Panel("", np.random.default_rng(0).uniform(0, 9, (12, 2)), np.array(names, dtype=object))
    view = views.MapView("t", (), (panel,), Categories("c", names), pd.DataFrame(), {})
    described, _ = message.describe(loaded, view, LIGHT)
    scale = described["scale"]
    assert scale["kind"] == "labels"
    assert len(scale["entries"]) == 8
    assert scale["rest"]["n"] == 4
    numbers = views.MapView("t", (), (panel,), Continuous("c", 0, 1), pd.DataFrame(), {})
    assert numbers.whole is False


@pytest.fixture
def outlined_section(library: Library, tmp_path: Path) -> Library:
    library.note_samples()
    place, boundaries = outlined(6)
    adata = section(len(place), "S")
    adata.obsm["spatial"] = place
    adata.write_h5ad(tmp_path / "one.h5ad")
    labels = ingest.Labels({"P-1": "P-1"}, {})
    (part,) = ingest.clean(squint.io.read(tmp_path / "one.h5ad"), labels)
    ingest.add(library, part, labels, boundaries)
    return library


def test_boundaries_are_served_to_whom_the_map_was_told_of(
    outlined_section: Library, browser: TestClient
) -> None:
    (section,) = outlined_section.sections()
    view = views.by_depth([section], views.cells_of(outlined_section, [section]))
    described, _ = served(outlined_section, view)
    source = described["panels"][0]["boundaries"]
    assert source is not None
    path, query = source["path"], source["query"]
    header = browser.get(f"{path}/index?{query}").json()
    assert header["n"] == 36
    (tile,) = header["levels"][0]
    answer = browser.get(f"{path}/0/0/{tile['name']}?{query}")
    assert answer.status_code == 200
    assert len(answer.content) == tile["bytes"]
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get(f"{path}/0/0/{'0' * 32}?{query}").status_code == 404
    assert browser.get(f"{path}/0/7/{tile['name']}?{query}").status_code == 404
    assert browser.get(f"{path}/index").status_code == 403
    other = path.replace(section.id, "0" * 16)
    assert browser.get(f"{other}/index?{query}").status_code == 403


def test_transcripts_come_with_the_colour_of_their_gene(
    outlined_section: Library, browser: TestClient
) -> None:
    (section,) = outlined_section.sections()
    view = views.by_depth([section], views.cells_of(outlined_section, [section]))
    places = np.array([[3.0, 4.0], [50.0, 60.0]], np.float32)
    spots = [Spots(gene, places[:k], 9, 0, 0, "transcripts.parquet") for gene, k in (("B", 2), ("A", 1))]
    described, _ = served(outlined_section, replace(view, transcripts=[spots]))
    panel = described["panels"][0]
    first, second = panel["transcripts"]
    assert [(one["gene"], one["colour"], one["n"], one["shown"]) for one in (first, second)] == [
        ("B", LIGHT.categories[0], 9, 2),
        ("A", LIGHT.categories[1], 9, 1),
    ]
    sent = np.frombuffer(browser.get(first["points"]["url"]).content, "<f4").reshape(-1, 2)
    np.testing.assert_allclose(sent + np.array(panel["origin"]), places, atol=1e-4)


def test_a_section_without_outlines_has_none(loaded: Library, view: views.MapView) -> None:
    described, _ = served(loaded, view)
    assert {panel["boundaries"] for panel in described["panels"]} == {None}
    assert all(not panel["transcripts"] for panel in described["panels"])
