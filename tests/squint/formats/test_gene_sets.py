"""Gene sets as databases and spreadsheets write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.formats import gene_sets

GENE = st.from_regex(r"[A-Z][A-Z0-9]{1,6}(-[A-Z0-9])?", fullmatch=True).filter(
    lambda gene: gene.lower() not in gene_sets._GENE_TITLES
)
GENES = st.lists(GENE, min_size=1, max_size=8, unique=True)
NAME = st.from_regex(r"[A-Z]{2,8}_[A-Z]{1,8}", fullmatch=True)


@given(st.dictionaries(NAME, GENES, min_size=1, max_size=4))
def test_sets_come_back_as_they_were_written(sets: dict[str, list[str]]) -> None:
    expected = {name: tuple(genes) for name, genes in sets.items()}
    gmt = "\n".join("\t".join([name, "https://example.org", *genes]) for name, genes in sets.items())
    assert gene_sets.parse(gmt.encode(), "sets.gmt") == expected
    for separator in ",;\t":
        rows = [f"{name}{separator}{gene}" for name, genes in sets.items() for gene in genes]
        table = "\r\n".join([f"set{separator}gene", *rows, ""])
        assert gene_sets.parse(table.encode("utf-8-sig"), "sets.CSV") == expected


@pytest.mark.parametrize(
    "text",
    [
        "LDHA\nMMP14\nPFKFB3\n",
        "gene\nLDHA\nMMP14\nPFKFB3",
        "\ufeffGene\r\n LDHA \r\n\r\nMMP14;\r\nPFKFB3;\r\nLDHA;\r\n",
        '"LDHA"\n"MMP14"\n,\n"PFKFB3"\n',
    ],
)
def test_one_gene_per_line_is_one_set_named_after_the_file(text: str) -> None:
    assert gene_sets.parse(text.encode(), "my set.csv") == {"my set": ("LDHA", "MMP14", "PFKFB3")}


def test_columns_may_be_in_any_order() -> None:
    table = b"Gene;Comment;Gene set\nLDHA;a;hypoxia\nCA9;;hypoxia\nVIM;b;EMT\n;no gene;EMT\n"
    assert gene_sets.parse(table, "a.csv") == {"hypoxia": ("LDHA", "CA9"), "EMT": ("VIM",)}


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.csv", "a.csv is empty"),
        (b" \n\n", "a.gmt", "a.gmt is empty"),
        (b",,\n,\n", "a.csv", "a.csv is empty"),
        (b'"' + b"x" * 200_000, "a.csv", "no table"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.gmt", "no plain text"),
        ("gene\nLDHA".encode("utf-16"), "a.csv", "no plain text"),
        (b"set\xe4,gene", "a.csv", "no plain text. Save it as CSV UTF-8"),
        (b"x" * 2_000_001, "a.csv", "larger than 2 MB"),
        (b"LDHA", "a.xlsx", "no .gmt, .csv or .txt"),
        (b"LDHA", "LDHA", "no .gmt, .csv or .txt"),
        (b"A\tabout\tLDHA\nB\tabout", "a.gmt", "Line 2 of a.gmt is no gene set"),
        (b"A\tabout\t\t", "a.gmt", "Line 1 of a.gmt is no gene set"),
        (b"LDHA\nMMP14", "a.gmt", "Line 1 of a.gmt is no gene set"),
        (b"A\t\tLDHA\nA\t\tVIM", "a.gmt", "names 'A' a second time"),
        (b"gene\n", "a.csv", "a title but no genes"),
        (b"set,gene\nA,\n,B\n", "a.csv", "titles but no genes"),
        (b"A,LDHA\nA,VIM\n", "a.csv", "Begin with the line `set,gene`"),
        (b"LDHA,VIM,CA9\n", "a.csv", "or give one gene per line"),
        (b'"unclosed\nLDHA', "a.csv", None),
    ],
)
def test_what_is_no_gene_set_is_refused_in_plain_words(content: bytes, name: str, said: str | None) -> None:
    if said is None:
        assert gene_sets.parse(content, name)
        return
    with pytest.raises(InputError, match=said):
        gene_sets.parse(content, name)


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode(errors="ignore")))
)
@pytest.mark.parametrize("name", ["a.gmt", "a.csv", "a.txt"])
def test_whatever_is_uploaded_gives_sets_or_a_plain_word(name: str, content: bytes) -> None:
    found = {}
    with contextlib.suppress(InputError):
        found = gene_sets.parse(content, name)
        assert found
    assert all(found.values())


def test_a_file_is_read_by_its_name(tmp_path) -> None:
    path = tmp_path / "hypoxia.txt"
    path.write_text("LDHA\nCA9\n")
    assert gene_sets.read(path) == {"hypoxia": ("LDHA", "CA9")}
    with pytest.raises(InputError, match=r"none.gmt cannot be read: No such file"):
        gene_sets.read(tmp_path / "none.gmt")
    with pytest.raises(InputError, match="cannot be read"):
        gene_sets.read(tmp_path)


def test_each_gene_of_aggressive_kidney_cancer_has_its_source() -> None:
    assert tuple(gene_sets.AGGRESSIVE_KIDNEY) == ("LDHA", "MMP14", "PFKFB3")
    for gene, (author, where) in {
        "LDHA": ("Girgis", "Molecular cancer, 13(1):101, 2014"),
        "MMP14": ("Zhao", "Translational Andrology and Urology, 11(11):1523, 2022"),
        "PFKFB3": ("Li", "BMC cancer, 22(1):83, 2022a"),
    }.items():
        source = gene_sets.AGGRESSIVE_KIDNEY[gene]
        assert author in source
        assert where in source
