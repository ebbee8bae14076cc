"""Named sets of genes, from files that pathologists and databases write."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from squint.errors import InputError

MAX_BYTES = 2_000_000
_GENE_TITLES = {"gene", "genes", "symbol", "symbols", "gene_symbol", "gene symbol", "gene_name", "gene name"}
_SET_TITLES = {"set", "sets", "gene_set", "gene set", "geneset", "name", "pathway", "signature"}

# Genes linked to aggressive kidney cancer in the SQUINT paper, section 5.3, each with its source there.
AGGRESSIVE_KIDNEY = {
    "LDHA": "Hala Girgis, Olena Masui, Nicole MA White, Andreas Scorilas, Fabio Rotondo, Annetta Seivwright, "
    "Manal Gabriel, Emily R Filter, Andrew HA Girgis, Georg A Bjarnason, et al. Lactate dehydrogenase a is a "
    "potential prognostic marker in clear cell renal cell carcinoma. Molecular cancer, 13(1):101, 2014.",
    "MMP14": "Ya-Wei Zhao, Wang Ma, Fengjun Jiang, Yi Xie, and Lei Tang. Upregulation of matrix "
    "metalloproteinase 14 (mmp14) is associated with poor prognosis in renal clear cell carcinoma—a "
    "bioinformatics analysis. Translational Andrology and Urology, 11(11):1523, 2022.",
    "PFKFB3": "Jun Li, Shiqiang Zhang, Dingzhun Liao, Qian Zhang, Chujie Chen, Xiangwei Yang, Donggen Jiang, "
    "and Jun Pang. Overexpression of pfkfb3 promotes cell glycolysis and proliferation in renal cell "
    "carcinoma. BMC cancer, 22(1):83, 2022a.",
}


def read(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read gene sets from a file, as :func:`parse` does.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    The genes of each set.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no gene sets.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or 'it is no file'}.") from error
    return parse(content, path.name)


def parse(content: bytes, name: str) -> dict[str, tuple[str, ...]]:
    """Find the gene sets in the content of a file.

    ``.gmt`` holds a set per line: name, description and genes, separated by tabs. ``.csv`` and ``.txt`` hold
    one gene per line, which make one set named after the file, or a set and a gene per line below a line of
    titles, such as ``set,gene``; separated by commas, semicolons or tabs.

    Parameters
    ----------
    content
        At most 2 MB.
    name
        Name of the file; its end says what it holds.

    Returns
    -------
    The genes of each set, in the order of the file, each once.

    Raises
    ------
    InputError
        If there are no genes, or the content is none of the above.
    """
    text = _decode(content, name)
    ending = Path(name).suffix.lower()
    if ending == ".gmt":
        return _parse_gmt(text, name)
    if ending in {".csv", ".txt"}:
        return _parse_table(text, name)
    raise InputError(f"{name} is no .gmt, .csv or .txt file. Save the gene sets as one of these.")


def _decode(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the gene sets that you need."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8 or as GMT.") from error
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8 or as GMT.")
    if not text.strip():
        raise InputError(f"{name} is empty. Give one gene per line, or a GMT file.")
    return text


def _parse_gmt(text: str, name: str) -> dict[str, tuple[str, ...]]:
    sets: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        title, _, *genes = [field.strip() for field in line.split("\t")] + [""]
        if not title or not any(genes):
            raise InputError(
                f"Line {number} of {name} is no gene set. A line of a GMT file has a name, a description and "
                "genes, separated by tabs."
            )
        if title in sets:
            raise InputError(f"Line {number} of {name} names {title!r} a second time. Rename one of the two.")
        sets[title] = _once(genes)
    return sets


def _parse_table(text: str, name: str) -> dict[str, tuple[str, ...]]:
    rows = _split(text, name)
    n_columns = max(sum(map(bool, row)) for row in rows)
    titles = [field.lower() for field in rows[0]]
    if n_columns == 1:
        genes = _once("".join(row) for row in rows[1 if titles[0] in _GENE_TITLES else 0 :])
        if not genes:
            raise InputError(f"{name} has a title but no genes. Give one gene per line.")
        return {Path(name).stem: genes}
    at_gene = [at for at, title in enumerate(titles) if title in _GENE_TITLES]
    at_set = [at for at, title in enumerate(titles) if title in _SET_TITLES]
    if len(at_gene) != 1 or len(at_set) != 1:
        raise InputError(
            f"{name} has several columns, and its first line does not say which hold set and gene. "
            "Begin with the line `set,gene`, or give one gene per line."
        )
    return _group(rows[1:], at_set[0], at_gene[0], name)


def _split(text: str, name: str) -> list[list[str]]:
    """Split a table into its fields, without lines that are blank."""
    separator = max(",;\t", key=text.count)
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{name} is no table: {error}. Save it as CSV UTF-8.") from error
    rows = [[field.strip() for field in row] for row in rows]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise InputError(f"{name} is empty. Give one gene per line, or a set and a gene.")
    return rows


def _group(rows: list[list[str]], at_set: int, at_gene: int, name: str) -> dict[str, tuple[str, ...]]:
    genes: dict[str, list[str]] = {}
    for row in rows:
        cells = row + [""] * (max(at_set, at_gene) + 1 - len(row))
        if cells[at_set] and cells[at_gene]:
            genes.setdefault(cells[at_set], []).append(cells[at_gene])
    if not genes:
        raise InputError(f"{name} has titles but no genes. Give a set and a gene per line.")
    return {title: _once(listed) for title, listed in genes.items()}


def _once(genes: Iterable[str]) -> tuple[str, ...]:
    """Drop blanks and repetitions."""
    return tuple(dict.fromkeys(gene for gene in genes if gene))
