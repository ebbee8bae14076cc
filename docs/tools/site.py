"""What the site needs beyond Markdown, as hooks of MkDocs."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docs.tools.notebooks import show

_LINK = re.compile(r"(\]\([^)\s]+)\.ipynb\)")
# What a browser fetches by itself, from another host: scripts, styles, pictures and fonts.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*stylesheet[^>]*//"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook, with its pictures; the notebook itself can be downloaded there."""
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            source = Path(str(file.abs_src_path))
            shown = show(source)
            page = file.src_uri.removesuffix(".ipynb") + ".md"
            files.append(File.generated(config, page, content=shown.markdown))
            for name, png in shown.pictures.items():
                files.append(File.generated(config, f"{Path(page).parent.as_posix()}/{name}", content=png))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to notebooks to their pages."""
    return _LINK.sub(r"\1.md)", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would fetch something from elsewhere."""
    found = _FETCHED.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} fetches from another host: {found[0]}")
    return output
