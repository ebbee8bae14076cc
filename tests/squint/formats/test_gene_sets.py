"""Gene sets as databases and spreadsheets write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.formats import gene_fields, gene_sets

GENE = st.from_regex(r"[A-Z][A-Z0-9]{1,6}(-[A-Z0-9])?", fullmatch=True).filter(
    lambda gene: not gene_fields.is_gene_title(gene)
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


@pytest.mark.parametrize(
    "text",
    [
        "CA9 VEGFA LDHA",
        "CA9\u00a0 \n\u200bVEGFA\nLDHA\ufeff\n",
        "C\u00adA9\nVEG\u200dFA\n\u200eLDHA\u2060\n",
        "CA9\u2003VEGFA\u3000LDHA",
        "hgnc_symbol\nCA9\nVEGFA\nLDHA",
        "GeneSymbol\nCA9\nVEGFA\nLDHA",
        "Gene symbol\r\nCA9\r\nVEGFA\r\nLDHA\r\n",
        "Approved symbol\rCA9\rVEGFA\rLDHA\r",
        "Official Symbol\nCA9\nVEGFA\nLDHA",
        "HGNC approved gene symbol\nCA9\nVEGFA\nLDHA",
        "external_gene_name\nCA9\nVEGFA\nLDHA",
        "\u200bMarkers\nCA9\nVEGFA\nLDHA",
        "gene\nCA9, VEGFA, LDHA",
        "gene\nCA9;VEGFA\nLDHA;\n",
        "gene\nCA9|VEGFA|LDHA\n",
        "gene\nCA9 /// VEGFA\nLDHA\n",
        'gene\n"CA9\nVEGFA\n"\nLDHA\n',
        ",gene\n0,CA9\n1,VEGFA\n2,LDHA\n",
        "# from the paper\ngene\nCA9\nVEGFA\nLDHA\n",
    ],
)
def test_genes_are_the_same_however_a_list_is_written(text: str) -> None:
    assert gene_sets.parse(text.encode(), "a.csv") == {"a": ("CA9", "VEGFA", "LDHA")}
    assert gene_sets.parse(text.encode(), "a.txt") == {"a": ("CA9", "VEGFA", "LDHA")}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('set,gene\nHypoxia,"CA9, VEGFA, LDHA"\n', "a.csv"),
        ("set;gene\nHypoxia;CA9, VEGFA, LDHA\n", "a.csv"),
        ("set,gene\nHypoxia,CA9;VEGFA;LDHA\n", "a.csv"),
        ("Pathway\tApproved symbol\nHypoxia\tCA9 VEGFA\nHypoxia\u00a0\tLDHA", "a.txt"),
        ("HYPOXIA\t\tCA9\tVEGFA\tLDHA".replace("HYPOXIA", "Hypoxia"), "a.txt"),
        ("Hypoxia\t\tCA9,1.0\tVEGFA,0.5\tLDHA,1", "a.txt"),
        ("Hypoxia\t\tCA9,1.0\tVEGFA,0.5\tLDHA,1", "a.gmt"),
        ("Hypoxia\tna\tCA9 VEGFA\u200b, LDHA", "a.gmt"),
        ("\u200bHypoxia\tna\tCA9\t\u00a0VEGFA\tLDHA\t\t", "a.gmt"),
    ],
)
def test_several_genes_in_one_field_are_taken_apart(text: str, name: str) -> None:
    assert gene_sets.parse(text.encode(), name) == {"Hypoxia": ("CA9", "VEGFA", "LDHA")}


def test_each_line_of_enrichr_is_a_set() -> None:
    text = b"HYPOXIA\t\tCA9\tVEGFA\tLDHA\nGLYC\t\tLDHA\tPGK1\n"
    assert gene_sets.parse(text, "a.txt") == {"HYPOXIA": ("CA9", "VEGFA", "LDHA"), "GLYC": ("LDHA", "PGK1")}


DATES = (
    "2-Sep", "1-Mar", "01/12/2024", "Mar-01", "2001-03-01", "44621", "44806.0", "2-SEP", "1. Mrz", "02-sept.",
    "1-Mar-2024", "2 Sep 2024", "Sep-2024", "2024-03-01 00:00:00", "01.03.2024", "3/1/24", "9/2", "1-Dez",
    "15-d\u00e9c",     "2.31E+13", "2001-03",
)  # fmt: skip


@pytest.mark.parametrize("date", DATES)
def test_dates_that_excel_made_of_genes_are_told_of_with_their_line(date: str) -> None:
    for text, name, line in (
        (f"gene\nCA9\n{date}\nVEGFA\n", "a.csv", 3),
        (f"CA9\n\n\n{date}\n", "a.txt", 4),
        (f"set,gene\nH,CA9\nH,{date}\n", "a.csv", 3),
        (f"H\tna\tCA9\nG\tna\tLDHA\t{date}\n", "a.gmt", 2),
    ):
        with pytest.raises(InputError, match="dates or numbers where genes should be, as Excel") as caught:
            gene_sets.parse(text.encode(), name)
        assert f"line {line}: {date!r}" in str(caught.value)


@pytest.mark.parametrize(
    "gene",
    ["SEPT2", "MARCH1", "DEC1", "SEP15", "OCT4", "OCT-4", "DEC-205", "MARCHF1", "SEPTIN2", "MAR1", "7SK",
     "5-LOX", "14-3-3", "5S_rRNA", "RP11-34P13.7", "AC093323.3", "HLA-A", "HLA\u2011A", "CCL3/L1/L3",
     "XCL1/2", "MT-CO1", "2310009E13Rik", "ENSG00000107159.13", "Nkx2-1", "MARS", "JUN", "DECR1", "NOV",
     "APRIL", "MAY", "JUNB"],
)  # fmt: skip
def test_names_that_look_like_dates_are_genes(gene: str) -> None:
    expected = {"a": ("CA9", gene.replace("\u2011", "-"))}
    assert gene_sets.parse(f"gene\nCA9\n{gene}\n".encode(), "a.csv") == expected
    assert gene_sets.parse(f"a\tna\tCA9\t{gene}\n".encode(), "x.gmt") == expected


@pytest.mark.parametrize("text", ["gene (HGNC)\nCA9\n", "Hypoxia genes\nCA9\n", "CA9\nVEGFA\ngene\n"])
def test_a_title_is_never_taken_for_a_gene(text: str) -> None:
    with pytest.raises(InputError, match="where a gene should be"):
        gene_sets.parse(text.encode(), "a.csv")


def test_symbols_are_taken_before_ids() -> None:
    table = b"set,gene_id,gene_symbol\nH,ENSG1,CA9\nH,ENSG2,VEGFA\n"
    assert gene_sets.parse(table, "a.csv") == {"H": ("CA9", "VEGFA")}
    assert gene_sets.parse(b"Gene ID\nENSG1\nENSG2\n", "a.csv") == {"a": ("ENSG1", "ENSG2")}


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
        (b"gene\n" + b"," * 400_001 + b"a", "a.csv", "more than 400,000 fields"),
        (b"A\tabout" + b"\t" * 1_000_000, "a.gmt", "more than 400,000 fields"),
        (b"A\tabout\tLDHA\nB\tabout", "a.gmt", "Line 2 of a.gmt is no gene set"),
        (b"A\tabout\t\t", "a.gmt", "Line 1 of a.gmt is no gene set"),
        (b"LDHA\nMMP14", "a.gmt", "Line 1 of a.gmt is no gene set"),
        (b"A\t\tLDHA\nA\t\tVIM", "a.gmt", "names 'A' a second time"),
        (b"gene\n", "a.csv", "a title but no genes"),
        (b"set,gene\nA,\n,B\n", "a.csv", "titles but no genes"),
        (b"A,LDHA\nA,VIM\n", "a.csv", "Begin with the line `set,gene`"),
        (b"LDHA\nCA9,VIM\n", "a.csv", "or give one gene per line"),
        (b"gene,\nLDHA,VIM\n", "a.csv", "or give one gene per line"),
        (b"\xe2\x80\x8b\n", "a.csv", "a.csv is empty"),
        (b"CA9, VEGFA, LDHA", "a.txt", "or give one gene per line"),
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
