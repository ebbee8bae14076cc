"""A stamp in the metadata of a file: what it shows, made by what, from what."""

import io
from collections.abc import Mapping
from html import escape

from PIL import Image, PngImagePlugin
from pypdf import PdfReader, PdfWriter


def stamp_png(image: Image.Image, stamp: Mapping[str, str], dpi: float) -> bytes:
    """Write a picture as PNG, with texts by name."""
    text = PngImagePlugin.PngInfo()
    for key, value in stamp.items():
        text.add_itxt(key, value)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=text, dpi=(dpi, dpi))
    return file.getvalue()


def stamp_svg(svg: str, stamp: Mapping[str, str]) -> str:
    """Give an SVG with texts by name."""
    lines = "\n".join(f"{key}: {value}" for key, value in stamp.items())
    start = svg.index(">", svg.index("<svg")) + 1
    return f"{svg[:start]}<metadata>{escape(lines)}</metadata>{svg[start:]}"


def stamp_pdf(pdf: bytes, stamp: Mapping[str, str]) -> bytes:
    """Give a PDF with texts by name, and all of them as its subject."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    words = "; ".join(f"{key}: {value}" for key, value in stamp.items() if key != "Title")
    named = {f"/{key.replace(' ', '')}": value for key, value in stamp.items()}
    writer.add_metadata({**named, "/Subject": words, "/Creator": "squint", "/Producer": "squint"})
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()
