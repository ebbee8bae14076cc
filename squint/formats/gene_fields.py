"""Fields of gene lists, as spreadsheets leave them: invisible characters, several genes in one, dates."""

import re
import unicodedata
from collections.abc import Sequence

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_OF = (
    "hgnc|mgi|rgd|ncbi|entrez|ensembl|approved|official|current|preferred|external|human|mouse|marker|target"
)
_GENE_TITLE = re.compile(rf"(?:{_OF})*(?:genes?|(?:gene)?symbols?|gene(?:name|id)s?)|markers?")
_SET_TITLE = re.compile(r"(?:gene)?sets?(?:name)?|names?|(?:pathway|signature|term)s?(?:name)?")
_PLAIN = re.compile("[A-Za-z][A-Za-z0-9]*")  # as most genes are, and no date
_MONTH = (
    "(?:jan|ene|gen|feb|fev|fév|mar|mär|mrz|mrt|apr|avr|abr|may|mai|mag|mei|maj|jun|jui|giu|jul|lug|aug|ago|aoû"
    r"|aou|sep|set|oct|okt|ott|nov|dec|déc|dez|dic)[^\W\d_]{0,7}\.?"
)
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_DATE = re.compile(
    rf"\d{{1,2}}[-./ ]{{1,2}}{_MONTH}(?:[-./ ]{{0,2}}\d{{2,4}})?"  # 2-Sep, 1. Mrz, 1-MAR-2024
    rf"|{_MONTH}[-./ ]{{1,2}}(?:\d{{2}}|\d{{4}})"  # Mar-01; but OCT-4 and DEC-205 are names
    rf"|\d{{4}}[-./]\d{{1,2}}(?:[-./]\d{{1,2}}{_TIME})?"  # 2001-03-01 00:00:00
    rf"|\d{{1,2}}[-./]\d{{1,2}}[-./]\d{{2,4}}{_TIME}"  # 01/12/2024
    r"|\d{1,2}/\d{1,2}",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"[+-]?\d+(?:[.,]\d*)?(?:e[+-]?\d+)?", re.IGNORECASE
)  # 44806, and 2.31E+13 of 2310009E13


def clean(field: str) -> str:
    """Drop what nobody sees: zero-width and control characters, soft hyphens, and spaces around.

    Parameters
    ----------
    field
        As it stands in the file.

    Returns
    -------
    The text that is seen.
    """
    if field.isascii() and field.isprintable():  # as most are; looking at each character takes long
        return " ".join(field.split())
    seen = "".join(" " if c.isspace() else c for c in field if c.isspace() or not _is_hidden(c))
    return " ".join(seen.split())


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf"}


def split(field: str) -> list[str]:
    """Give the genes of a field; several may stand in one, between commas, semicolons, bars or spaces.

    Parameters
    ----------
    field
        As it stands in the file.

    Returns
    -------
    The genes, with plain hyphens and without weights such as those of ``CA9,1.0``.
    """
    if not field or _PLAIN.fullmatch(field):
        return [field] if field else []
    text = clean(field).translate(_DASHES)
    if is_date(text):
        return [text]
    genes = [part for part in re.split(r"[\s,;|]+", text) if any(map(str.isalnum, part))]
    return genes[:1] if len(genes) == 2 and re.fullmatch(r"\S+,\s*[\d.]+", text) else genes


def is_date(gene: str) -> bool:
    """Say whether a field is what Excel makes of genes such as MARCHF1: a date, or the number of one.

    Parameters
    ----------
    gene
        As it stands in the file.

    Returns
    -------
    True for a date, and for any number.
    """
    return not _PLAIN.fullmatch(gene) and bool(_DATE.fullmatch(gene) or _NUMBER.fullmatch(gene))


def is_gene_title(field: str) -> bool:
    """Say whether a field is the title of a column of genes, such as ``Approved symbol``.

    Parameters
    ----------
    field
        As it stands in the file.

    Returns
    -------
    True for a known title, in letters of any case.
    """
    return bool(_GENE_TITLE.fullmatch(_letters(field)))


def gene_columns(titles: Sequence[str]) -> list[int]:
    """Find the columns of genes: of symbols, where there are ids too.

    Parameters
    ----------
    titles
        Of all columns.

    Returns
    -------
    The places of those of genes, from 0.
    """
    found = [at for at, title in enumerate(titles) if is_gene_title(title)]
    return [at for at in found if not re.search("ids?$", _letters(titles[at]))] or found


def is_set_title(field: str) -> bool:
    """Say whether a field is the title of a column of gene sets.

    Parameters
    ----------
    field
        As it stands in the file.

    Returns
    -------
    True for a known title, in letters of any case.
    """
    return bool(_SET_TITLE.fullmatch(_letters(field)))


def _letters(field: str) -> str:
    return re.sub(r"[\W_]", "", field.casefold())
