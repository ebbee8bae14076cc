"""The dashboard without a browser: its pages, what they say, and files given to them."""

import json
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from anndata import AnnData
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.routes.uploads import UPLOAD_ROUTES
from app.web.buffers import SIGNER
from squint.library.store import Library
from tests.helpers.paths import ROOT

MAPS = ("sections", "tokens", "risk_map")
PAGES = (
    *MAPS,
    "cell_types",
    "codebook",
    "compare",
    "differential_expression",
    "borders",
    "in_painting",
    "z_stack",
    "co_occurrence",
    "perturbation",
    "report",
)
MAIN = str(ROOT / "app" / "main.py")


def words(app: AppTest) -> str:
    """All text of a page."""
    kinds = (
        app.markdown,
        app.caption,
        app.info,
        app.warning,
        app.error,
        app.title,
        app.header,
        app.subheader,
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def links(app: AppTest) -> list[str]:
    """Name the links of a page to other pages."""
    return [element.proto.label for element in app.get("page_link")]


def csv_of(app: AppTest, place: str) -> tuple[str, pd.DataFrame]:
    """Export the table of a place of a page; return its head and its rows."""
    app.button(f"{place}-csv").click().run()
    assert not app.exception
    assert not app.error
    text = app.session_state["_exports"][place].file.read().decode("utf-8-sig")
    head = "\n".join(line for line in text.splitlines() if line.startswith("# "))
    return head, pd.read_csv(StringIO(text), comment="#")


def send(app: AppTest, name: str, content: bytes, place: str = "section") -> Response:
    """Send a file as the browser would, to the address that the page gave."""
    with TestClient(Starlette(routes=UPLOAD_ROUTES)) as client:
        return client.put(
            SIGNER.sign(f"/upload/{app.session_state['_upload_ids'][place]}"),
            content=content,
            headers={"X-File-Name": quote(name)},
        )


def upload(app: AppTest, adata: AnnData, path: Path) -> AppTest:
    """Give a section to the page."""
    adata.write_h5ad(path)
    assert send(app, path.name, path.read_bytes()).status_code == 201
    return app.run()


def keep(app: AppTest) -> AppTest:
    """Keep what was uploaded, and wait until it has tokens, if it gets any."""
    app.button("keep").click().run()
    return settled(app)


def settled(app: AppTest) -> AppTest:
    """Wait for what goes on behind a page."""
    while app.session_state.get("_jobs"):
        wait_for(lambda: all(job.done for job in app.session_state["_jobs"].values()), 120)
        before = set(app.session_state["_jobs"])
        app.run()
        if before == set(app.session_state["_jobs"]):  # failed, which the page says
            break
    return app


def staged(library: Library) -> list[Path]:
    """List what is on its way into a library, or out of it."""
    return [*library.staging.iterdir(), *library.uploads.iterdir()]


def one_section(toy: AnnData, name: str = "TOY-H-1") -> AnnData:
    part = toy[toy.obs["section_id"] == name].copy()
    part.obs = part.obs[["section_id", "patient_id", "cell_type"]].copy()
    return part


def compare_by(app: AppTest, what: str) -> AppTest:
    app.segmented_control("compare_by").set_value(what).run()
    assert not app.exception
    assert not app.error
    return app


def genes(app: AppTest) -> pd.DataFrame:
    return app.dataframe[0].value


def maps(app: AppTest) -> dict[str, dict[str, Any]]:
    """Give what the browser is told of each map of a page, by the map's place."""
    mounted = [element for element in app.get("bidi_component") if element.proto.json]
    told = {element.key: json.loads(element.proto.json) for element in mounted}
    return {key: data for key, data in told.items() if "max_files" not in data}  # the field for files is none


def wait_for(condition: Callable[[], Any], timeout: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
