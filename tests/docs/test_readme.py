"""What README and the documentation name exists: paths, links, commands, targets of make, names in Python."""

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from squint.cli.main import _parser
from tests.helpers.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("app", "data_samples", "docs", "pages", "squint", "tests")  # of this repository
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PROGRAM = re.compile(r"(?:^|\s)(?:squint|-m squint) (?=[a-z])")


def names(pages: list[Path] = PAGES) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def text_of(page: Path) -> str:
    """Read a page without its formulas."""
    return re.sub(r"^```math\n.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def code_of(page: Path) -> Iterator[str]:
    """Give what stands in code spans, and each line of code blocks."""
    text = text_of(page)
    for _, block in FENCE.findall(text):
        yield from filter(None, (line.split("  #")[0].strip() for line in block.splitlines()))
    yield from SPAN.findall(FENCE.sub("", text))


def whole(code: str) -> bool:
    """Tell a command that can be typed as it is from the name of one."""
    placeholder = re.search(r" [A-Z]( |$)", code)
    return code.startswith("squint ") and " --" in code and not placeholder


def headings_of(page: Path) -> set[str]:
    """Give the anchors of a page's headings."""
    text = FENCE.sub("", page.read_text())
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Give every command by its words."""
    found: dict[str, argparse.ArgumentParser] = {}

    def walk(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> None:
        if words:
            found[" ".join(words)] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word, sub in action.choices.items():
                    walk(sub, (*words, word))

    walk(_parser(), ())
    return found


COMMANDS = commands()


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_links_lead_somewhere(document):
    for target in LINK.findall(FENCE.sub("", document.read_text())):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        # Those of the reference are made of docstrings: `make docs` looks at them.
        if anchor and file.suffix == ".md" and file.parent.name != "reference":
            assert anchor in headings_of(file), target


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_paths_in_code_exist(document):
    for code in code_of(document):
        for word in re.split(r"[\s=,:]+", code):
            template = re.search(r"[A-Z]{4}", Path(word).stem)
            if word.split("/")[0] in FOLDERS and "/" in word and "*" not in word:
                file = ROOT / word
                assert (file.parent if template else file).exists(), word
            elif re.fullmatch(r"[A-Z]+\.(md|cff)|[\w-]+\.(toml|yml|txt)", word):
                assert (ROOT / word).exists(), word


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_targets_of_make_exist(document):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for code in code_of(document):
        for target in re.findall(r"\bmake ([a-z-]+)", code):
            assert target in targets, code


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_commands_are_those_of_the_program(document):
    for code in code_of(document):
        said = PROGRAM.split(code, maxsplit=1)
        begins = next((word for word in COMMANDS if code.startswith(f"{word} --")), None)
        if len(said) == 2:
            check(said[1])
        elif begins:
            check(code)


def check(command: str) -> None:
    """Hold one command line against the parser."""
    words = shlex.split(command)
    n_words = max(n for n in range(len(words) + 1) if n == 0 or " ".join(words[:n]) in COMMANDS)
    assert n_words, f"squint has no command {command!r}"
    parser = COMMANDS[" ".join(words[:n_words])]
    for word in words:
        if word.startswith("--"):
            assert word in parser._option_string_actions, f"{word} in {command!r}"


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in code_of(page) if whole(line)}))
def test_whole_command_lines_are_accepted(line):
    try:
        _parser().parse_args(shlex.split(line)[1:])
    except SystemExit:
        pytest.fail(line)


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_names_in_python_exist(document):
    for code in code_of(document):
        for name in re.findall(r"(?<![\w./-])squint(?:\.[A-Za-z_]\w*)+", code):
            if not name.endswith((".py", ".pyi")):
                assert resolves(name) or is_group(name), name


def resolves(name: str) -> bool:
    """Tell whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def is_group(name: str) -> bool:
    """Tell whether the library looks for entry points under a name."""
    return any(f'"{name}"' in path.read_text() for path in (ROOT / "squint").rglob("*.py"))


@pytest.mark.parametrize("document", PAGES, ids=names())
def test_settings_are_read_somewhere(document):
    read = "".join(
        path.read_text()
        for folder in ("app", "squint", "tests/helpers")
        for path in (ROOT / folder).rglob("*.py")
    )
    for code in code_of(document):
        for setting in re.findall(r"SQUINT_[A-Z_]+", code):
            assert f'"{setting.removesuffix("_FILE")}"' in read, setting  # secrets may stand in a file


def test_a_wrong_command_a_wrong_option_and_a_wrong_name_are_noticed():
    with pytest.raises(AssertionError):
        check("tokenise a.h5ad")
    with pytest.raises(AssertionError):
        check("benchmark speed --cell 5")
    assert not resolves("squint.tl.tokenise")
    assert not is_group("squint.tl.tokenise")
    assert resolves("squint.tl.tokenize")


def test_readme_begins_with_what_squint_is_not_for():
    head = (ROOT / "README.md").read_text().split("##")[0]
    assert "**For research use only. Not for use in diagnostic procedures.**" in head
    assert "make run" in (ROOT / "README.md").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
