"""The notebooks of the documentation: executed by ``make notebooks`` and in the tests, shown as pages.

A notebook is kept with its outputs, which are tables, short texts and small pictures.
"""

import base64
import os
import re
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
_COLOURS = 128  # of a picture: dots of true colours would take three times as much
_ENVIRONMENT = {
    "GOMP_SPINCOUNT": "1000",  # threads that wait soon sleep
    "PYTHONPATH": str(ROOT),
    "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm misses widgets, which a page could not show
}
_STYLE = re.compile(r"<style.*?</style>\s*", re.DOTALL)


class Shown(NamedTuple):
    """A notebook as a page."""

    markdown: str
    pictures: dict[str, bytes]  # PNG, by name


def execute(path: Path, *, timeout_s: int = 600) -> NotebookNode:
    """Run a notebook from its first cell to its last, in its own folder; give it with its outputs."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            # By files in a folder of our own, not by ports that others on this machine could reach.
            km=AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel"),
            startup_timeout=timeout_s,
            timeout=timeout_s,
            resources={"metadata": {"path": str(path.parent)}},
        )
        client.execute(env={**os.environ, **_ENVIRONMENT}, cleanup_kc=True)
    # What differs from run to run, or from machine to machine, says nothing.
    notebook.metadata = {"language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": _smaller(output.data["image/png"])}
    return notebook


def _smaller(encoded: str) -> str:
    """Draw a PNG, in base64, in few colours."""
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        reduced = picture.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
    file = BytesIO()
    reduced.save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def show(path: Path) -> Shown:
    """Turn a notebook into Markdown, with its pictures beside it."""
    pictures: dict[str, bytes] = {}
    parts: list[str] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data: dict[str, Any] = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in data:
                name = f"{path.stem}_{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the cell above draws]({name})")
            elif "text/html" in data:
                table = _STYLE.sub("", data["text/html"])
                parts.append(table.replace('<table border="1" class="dataframe">', "<table>"))
            else:
                parts.append(f"```text\n{data['text/plain'].rstrip()}\n```")
    parts.append(f"[This notebook as a file]({path.name})" + '{download=""}')
    return Shown("\n\n".join(parts), pictures)


def main() -> None:
    """Execute all notebooks, and keep their outputs."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(execute(path), path)
        sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
