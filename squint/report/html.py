"""The report as one page of HTML, which needs no network and runs nothing; it is printed to the PDF too."""

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from squint import keys
from squint.library.thumbnail import thumbnail
from squint.report import figures, maps, words
from squint.report.maps import MapPicture
from squint.report.pieces import Piece
from squint.report.tables import Computed, X, Y
from squint.report.words import NOTICE, many

_SHOWN = {"tokens": 10, "genes": 10, "set": 15, "types": 6}
_SEEN = {"score", "patient", "section"}  # groups by these need no map: one before shows where they are
_WHERE = "Cells of both groups that were compared; those in neither are grey."
_DRAWN = " Lines: the outlines that cell sets were drawn with."
Say = Callable[[float, str], None]


class Column(NamedTuple):
    """A column of a table in the report."""

    title: str
    value: Callable[[Any], str]
    is_number: bool = False


def write_html(computed: Computed, say: Say) -> str:
    """Write a report.

    Parameters
    ----------
    computed
        Its numbers.
    say
        Is told how far it is.

    Returns
    -------
    HTML, with every picture in it.
    """
    parts = set(computed.recipe.parts)
    body = [_first(computed)]
    if "types" in parts and "cell_types" in computed.tables:
        say(0.1, "drawing cell types")
        body.append(_types(computed))
    if "tokens" in parts and computed.recipe.model is not None:
        say(0.25, "drawing tokens")
        body.append(_tokens(computed))
    if "activation" in parts and computed.recipe.activation is not None:
        say(0.5, "drawing scores")
        body.append(_activation(computed))
    if "comparison" in parts and computed.recipe.comparison is not None:
        say(0.75, "drawing genes")
        body.append(_comparison(computed))
    body.append(_end(computed))
    title = computed.recipe.title
    css = files("squint.report").joinpath("style.css").read_text()
    kind = f"squint report{f' · {computed.recipe.simulated}' if computed.recipe.simulated else ''}"
    for place, text in (("TITLE", title), ("NOTICE", NOTICE), ("KIND", kind)):
        css = css.replace(place, _in_css(text))
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{css}</style></head>\n<body>"
        + "\n".join(body)
        + f'<div class="foot">{escape(NOTICE)}</div></body></html>\n'
    )


def _first(computed: Computed) -> str:
    recipe = computed.recipe
    simulated = f" · {recipe.simulated}" if recipe.simulated else ""
    lines = [
        "<header>",
        f"<h1>{escape(recipe.title)}</h1>",
        f"<p>{escape(words.counts(computed))}{escape(simulated)} · made {escape(recipe.made)}</p>",
        f'<p class="notice">{escape(NOTICE)}</p>',
        "</header>",
    ]
    if doubts := words.doubts(computed):
        lines += ['<section class="doubts"><h3>Know before you read</h3>', _list(doubts), "</section>"]
    if findings := words.key_findings(computed):
        lines += ["<h2>Key numbers</h2>", _list(findings)]
    single = len(computed.pieces) == 1
    lines += ["<h2>Sections</h2>", '<div class="cards">']
    lines += [_card(computed, i, piece, single=single) for i, piece in enumerate(computed.pieces)]
    lines.append("</div>")
    return "\n".join(lines)


def _card(computed: Computed, number: int, piece: Piece, *, single: bool) -> str:
    row = computed.tables["sections"].iloc[number]
    own = computed.cells[computed.cells[keys.SECTION] == piece.record.name]
    types = own[keys.CELL_TYPE].to_numpy(dtype=object) if own[keys.CELL_TYPE].notna().any() else None
    picture = thumbnail(own[[X, Y]].to_numpy(dtype=np.float64), types)
    record = piece.record
    facts = {
        "Patient": record.patient,
        "Tissue": " · ".join(filter(None, [record.organ, record.assay])) or "not said",
        "Cells": f"{int(row['n_cells']):,}",
        "Genes": f"{int(row['n_genes']):,}",
        "Median counts per cell": f"{row['median_counts']:,.0f}",
    }
    if record.unit == "um":
        facts["Extent"] = f"{row['width'] / 1000:.2f} by {row['height'] / 1000:.2f} mm"
    if computed.recipe.model is not None:
        new = "not known" if isnan(row["share_new_to_model"]) else f"{row['share_new_to_model']:.1%}"
        facts["Model's genes measured"] = f"{row['gene_overlap']:.0%}"
        facts["Cells new to the model"] = new
        facts["Tokens used"] = f"{int(row['n_tokens_used']):,}"
    if "activation_by_section" in computed.tables:
        table = computed.tables["activation_by_section"]
        score = table[table["section"] == record.name].iloc[0]
        n = int(score["n_cells"] - score["n_missing"])
        facts["Median score [IQR]"] = f"{score['median']:.2f} [{score['q1']:.2f} to {score['q3']:.2f}]"
        facts["High scores"] = (
            f"{int(score['n_high']):,} of {n:,} ({score['share_high']:.1%})" if n else "none"
        )
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    heading = record.name + (" (simulated)" if record.simulated else "")
    what = "colours: cell types" if types is not None else "cells"
    return (
        f'<div class="card{" single" if single else ""}"><div>'
        + _image(_png(picture), f"Thumbnail of section {record.name}, {what}")
        + f"</div><div><h3>{escape(heading)}</h3><dl>{rows}</dl></div></div>"
    )


def _types(computed: Computed) -> str:
    table = computed.tables["cell_types"]
    n_known = int(table["n_cells"].sum())
    simulated = {record.name for record in computed.recipe.shown if record.simulated}
    lines = [
        _kept(
            "<h2>Cell types</h2>",
            _figure(
                figures.types(table, simulated),
                "image/svg+xml",
                "Bars of the cell types of each section",
                f"Composition by section, n = {n_known:,} cells with a type. Shares are of the cells that "
                "have one.",
            ),
        ),
        *_maps(
            maps.by_type(computed), "Cells by type; the most frequent types of all sections are in colour."
        ),
    ]
    return "\n".join(lines)


def _tokens(computed: Computed) -> str:
    table = computed.tables["tokens"]
    n_codes = computed.recipe.model.n_codes if computed.recipe.model else 0
    shown = table.head(_SHOWN["tokens"])
    columns = [
        Column("Token", lambda row: words.token(computed.recipe, str(row.token))),
        Column("Cells", lambda row: f"{row.n_cells:,}", is_number=True),
        Column("Share", lambda row: f"{row.share:.1%}", is_number=True),
        Column("Top genes", lambda row: row.top_genes),
        Column("Cell types", lambda row: row.top_types or "not known"),
    ]
    if len(computed.pieces) > 1:
        columns.append(Column("Found in", lambda row: words.listed(str(row.sections).split(", "), 3)))
    first, *others = _maps(maps.by_token(computed), "Cells by token; the most frequent ones are in colour.")
    lines = [
        _kept(
            "<h2>Tokens</h2>",
            "<p>A token is the number of a tissue pattern: cells with the same token live in similar "
            "surroundings. The numbers have no order.</p>",
            first,
        ),
        *others,
        _kept(
            "<h3>The most frequent tokens</h3>",
            f'<p class="said">{len(shown)} of the {len(table)} tokens that occur here, of {n_codes} that the '
            "model knows; shares are of all cells with a token. All are in the table tokens.csv.</p>",
            _table(shown.itertuples(), columns),
        ),
    ]
    return "\n".join(lines)


def _activation(computed: Computed) -> str:
    asked, how = computed.recipe.activation, computed.facts["activation"]
    if asked is None or not how["codes"]:
        return ""
    tables = computed.tables
    columns = [
        Column("Patient", lambda row: str(row.patient)),
        Column("Section", lambda row: str(row.section)),
        Column("Cells with a score", lambda row: f"{row.n_cells - row.n_missing:,}", is_number=True),
        Column(f"Low (&lt;&nbsp;{asked.low:g})", lambda row: _part(row.n_low, row.share_low), is_number=True),
        Column(
            f"High (&gt;&nbsp;{asked.high:g})", lambda row: _part(row.n_high, row.share_high), is_number=True
        ),
        Column(
            "Median [IQR]", lambda row: f"{row.median:.2f} [{row.q1:.2f} to {row.q3:.2f}]", is_number=True
        ),
    ]
    real = {record.patient for record in computed.recipe.shown if not record.simulated}
    simulated = {record.patient for record in computed.recipe.shown} - real
    first, *others = _maps(
        maps.by_score(computed), "Cells by activation score, one scale for all; marks on the bar: thresholds."
    )
    lines = [
        _kept(
            "<h2>Activation score</h2>",
            f"<p>How much each neighbourhood resembles the tokens {escape(how['mode'])} in patient "
            f"<b>{escape(asked.reference)}</b>"
            + (f" against patient <b>{escape(asked.against)}</b>" if asked.against else "")
            + f": {escape(words.tokens(computed.recipe, how['codes']))}. "
            "They were picked on that patient.</p>",
            first,
        ),
        *others,
        _kept(
            "<h3>Spread of the scores</h3>",
            _figure(
                figures.spread(
                    tables["activation_histogram"], tables["activation_by_patient"], asked, simulated
                ),
                "image/svg+xml",
                "Histograms of the activation scores of each patient, with both thresholds",
                f"Blue: low; orange: high; dashed: thresholds {asked.low:g} and {asked.high:g}.",
            ),
        ),
        _table(tables["activation_by_section"].itertuples(), columns),
    ]
    if "activation_types" in tables:
        lines.append(
            _kept(
                "<h3>Cell types among low and high scores</h3>",
                _figure(
                    figures.levels(tables["activation_types"]),
                    "image/svg+xml",
                    "Bars of cell types among low and among high cells",
                    "Types whose share of the high cells exceeds that of the low ones most come first.",
                ),
            )
        )
    return "\n".join(lines)


def _comparison(computed: Computed) -> str:
    asked, facts, tables = computed.recipe.comparison, computed.facts["comparison"], computed.tables
    if asked is None:
        return ""
    names = words.groups(asked, computed.recipe)
    within = f", within {' and '.join(asked.types)}" if asked.types else ""
    head = [
        "<h2>Genes that differ</h2>",
        f"<p><b>Group:</b> {escape(names[0])}, n = {facts['group']:,} cells of "
        f"{many(facts['patients_group'], 'patient')}. <b>Reference:</b> {escape(names[1])}, n = "
        f"{facts['reference']:,} cells of "
        f"{many(facts['patients_reference'], 'patient')}{escape(within)}.</p>",
    ]
    if "problem" in facts:
        return _kept(*head, f"<p>They were not compared. {escape(facts['problem'])}</p>")
    where = _WHERE + (_DRAWN if computed.outlines else "")
    seen = [] if asked.by in _SEEN else _maps(maps.by_group(computed), where)
    lines = [_kept(*head, *seen[:1]), *seen[1:]] if seen else []
    genes = tables["differential_expression"]
    marked = {gene for one in computed.recipe.gene_sets for gene in one.genes}
    n_differ = int(((genes["q"] < asked.q) & (genes["log2_fold_change"].abs() >= asked.fold)).sum())
    sets = ", ".join(one.name for one in computed.recipe.gene_sets)
    volcano = _figure(
        figures.volcano(genes, asked, sorted(marked), names),
        "image/svg+xml",
        "Volcano plot of all genes",
        f"{many(len(genes), 'gene')} that all sections measure, {n_differ:,} of them with q < {asked.q:g} "
        f"and |log2 fold change| of at least {asked.fold:g}."
        + (f" Diamonds: genes of {sets}." if sets else ""),
    )
    higher = genes[genes["auc"] > 0.5].head(_SHOWN["genes"])
    lower = genes[genes["auc"] < 0.5].iloc[::-1].head(_SHOWN["genes"])
    lines += [
        volcano if seen else _kept(*head, volcano),
        _kept("<h3>Largest effects, higher in the group</h3>", _genes(higher, marked)),
        _kept("<h3>Largest effects, higher in the reference</h3>", _genes(lower, marked)),
    ]
    for number, one in enumerate(computed.recipe.gene_sets, 1):
        inside = tables[f"gene_set_{number}"]
        measured = (
            f"{len(inside)} of {many(len(one.genes), 'gene')} measured" if len(inside) else "not measured"
        )
        lines.append(
            _kept(
                f"<h3>The set {escape(one.name)}: {measured}</h3>",
                _genes(inside.head(_SHOWN["set"]), set())
                if len(inside)
                else f"<p>None of its {many(len(one.genes), 'gene')} is measured in all sections.</p>",
            )
        )
    across = (
        _across(tables["pseudobulk"], facts["pseudobulk"])
        if "pseudobulk" in tables
        else f"<p>{escape(facts['pseudobulk_problem'])}</p>"
    )
    return "\n".join([*lines, _kept("<h3>Across patients</h3>", across)])


def _genes(table: pd.DataFrame, marked: set[str]) -> str:
    columns = [
        Column("Gene", lambda row: str(row.gene)),
        Column("AUC", lambda row: f"{row.auc:.3f}", is_number=True),
        Column("log2 fold change", lambda row: f"{row.log2_fold_change:+.2f}", is_number=True),
        Column("Mean&nbsp;counts, group", lambda row: _mean(row.mean_group), is_number=True),
        Column("Mean&nbsp;counts, reference", lambda row: _mean(row.mean_reference), is_number=True),
        Column("Cells with&nbsp;it, group", lambda row: f"{row.share_group:.0%}", is_number=True),
        Column("Cells with&nbsp;it, reference", lambda row: f"{row.share_reference:.0%}", is_number=True),
        Column("q", lambda row: _q(row.q), is_number=True),
    ]
    return _table(table.itertuples(), columns, lambda row: row.gene in marked)


def _across(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    columns = [
        Column("Gene", lambda row: str(row.gene)),
        Column("log2 fold change", lambda row: f"{row.log2_fold_change:+.2f}", is_number=True),
        Column("Standard error", lambda row: f"{row.se:.2f}", is_number=True),
        Column("Mean count", lambda row: f"{row.base_mean:.1f}", is_number=True),
        Column("q", lambda row: _q(row.q), is_number=True),
    ]
    patients = (
        f"n = {many(len(facts['patients_group']), 'patient')} in the group, "
        f"{len(facts['patients_reference'])} in the reference; design {facts['design']}."
    )
    return f"<p>{escape(patients)}</p>" + _table(table.head(_SHOWN["genes"]).itertuples(), columns)


def _end(computed: Computed) -> str:
    recipe = computed.recipe
    lines = []
    if explained := words.explained(computed):
        pairs = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in explained)
        lines.append(_kept("<h2>Words of this report</h2>", f'<dl class="words">{pairs}</dl>'))
    first, *others = [
        f"<h3>{escape(heading)}</h3>\n<p>{escape(text)}</p>" for heading, text in words.methods(computed)
    ]
    lines += [_kept("<h2>Methods</h2>", first), *map(_kept, others)]
    lines.append(_kept("<h2>Limits</h2>", _list(words.limits(computed))))
    rows = [
        Column("Section", lambda row: row.name),
        Column("sha256 of its data", lambda row: row.sha256[:16]),
        Column("of its original", lambda row: row.original[:16] or "not known"),
        Column("Use", lambda row: "shown" if row.shown else "ranks tokens"),
    ]
    said = words.stamp(recipe)
    pairs = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(said[name])}</dd>"
        for name in ("Simulated", "App version", "Model", "Gene list", "Token names", "Recipe", "Time")
        if name in said
    )
    lines += [
        "<h2>Where the numbers are from</h2>",
        f'<dl class="stamp">{pairs}</dl>',
        _table(iter(recipe.sections), rows),
        "<p>Every number is in a table of the ZIP that goes with this report. With the originals and the "
        "model, "
        '<span class="mono">squint report recipe.json --originals FOLDER --model BUNDLE --check REPORT.zip '
        "--out "
        "FOLDER2</span> computes all of them anew and says whether they are the same.</p>",
    ]
    return "\n".join(lines)


def _kept(*parts: str) -> str:
    """Keep a heading and what it is above on one page, where they fit on one."""
    return "\n".join(['<section class="kept">', *parts, "</section>"])


def _part(n: int, share: float) -> str:
    return f"{n:,} ({share:.1%})" if not isnan(share) else f"{n:,}"


def _mean(value: float) -> str:
    return "< 0.01" if 0 < value < 0.01 else f"{value:,.2f}"


def _q(q: float) -> str:
    return "not tested" if isnan(q) else "< 1e-300" if q < 1e-300 else f"{q:.2g}"


def _maps(pictures: Iterable[MapPicture], caption: str) -> list[str]:
    found = list(pictures)
    return [
        _figure(one.png, "image/png", one.alt, caption if one is found[-1] else "", is_narrow=one.is_narrow)
        for one in found
    ]


def _figure(content: bytes, kind: str, alt: str, caption: str = "", *, is_narrow: bool = False) -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    kept = '<figure class="narrow">' if is_narrow else "<figure>"
    return f"{kept}{_image(content, alt, kind)}{below}</figure>"


def _image(content: bytes, alt: str, kind: str = "image/png") -> str:
    return f'<img alt="{escape(alt)}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(
    rows: Iterable[Any], columns: Sequence[Column], is_marked: Callable[[Any], bool] = lambda _: False
) -> str:
    """Write a table; titles are ours, and all else is escaped."""
    rows = list(rows)
    if not rows:
        return "<p>None.</p>"
    head = "".join(f'<th class="{"number" if c.is_number else ""}">{c.title}</th>' for c in columns)
    body = "".join(
        f"<tr{' class=marked' if is_marked(row) else ''}>"
        + "".join(
            f'<td class="{"number" if c.is_number else ""}">{escape(str(c.value(row)))}</td>' for c in columns
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _in_css(text: str) -> str:
    """Write a text for a string of CSS, in which nothing ends it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " .,") else f"\\{ord(c):06x} " for c in text)
