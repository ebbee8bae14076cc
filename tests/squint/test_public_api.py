"""The conventions of everything that squint exports.

Words that several functions share, of ``copy`` or ``style``, stand in the docstring of each. A decorator
could put them there from one place, but what reads the source, as editors and mkdocstrings do, would see a
gap: so they are written out, and a test holds them to one wording, :data:`SHARED`.
"""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap

import pytest

from tests.helpers.api import FORMATS, FUNCTIONS, MODULES, TOOLS

# What a parameter's description begins with, wherever there is one of that name
OF_TOKENS = ("Where the tokens are.", "Where tokens and graph are; a graph is built if there is none.")
SHARED = {
    "bundle": ("A trained model.",),
    "connectivity_key": OF_TOKENS[1:],
    "copy": ("Return a changed copy instead of changing ``adata``.",),
    "groupby": ("Column of ``obs`` with the labels.",),
    "style": ("Colours of the page.",),
    "token_key": OF_TOKENS,
}
RETURNS = "Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following "
SOURCE = re.compile(
    r"SQUINT, (section|appendix|equation)|\(\d{4}\)"
)  # a place in the paper, or another's year


def test_importing_squint_or_its_figures_loads_neither_torch_nor_scanpy_nor_streamlit():
    code = (
        "import sys, squint, squint.pl, squint.io; print({'torch', 'scanpy', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there_and_documented(module):
    loaded = importlib.import_module(module)
    for name in dir(loaded):
        value = getattr(loaded, name)
        if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
            assert inspect.getdoc(value), name


def test_the_walk_finds_the_functions_of_every_module():
    assert {exported.module for exported in FUNCTIONS} == {*MODULES, *FORMATS}
    assert {"squint.tl.tokenize", "squint.pp.spatial_neighbors"} <= set(map(str, TOOLS))


@pytest.mark.parametrize("exported", FUNCTIONS, ids=str)
def test_the_parameters_documented_are_those_of_the_signature(exported):
    documented = exported.entries("parameters")
    assert [parameter.name for parameter in documented] == list(exported.signature.parameters)
    assert all(parameter.description.rstrip().endswith((".", ":")) for parameter in documented)


@pytest.mark.parametrize("exported", FUNCTIONS, ids=str)
def test_what_is_returned_or_raised_is_documented(exported):
    if exported.signature.return_annotation is not None:
        assert exported.entries("returns") or exported.entries("yields")
    tree = ast.parse(textwrap.dedent(inspect.getsource(exported.function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = {ast.unparse(error.func) for error in raised if isinstance(error, ast.Call)}
    assert names <= {str(error.annotation) for error in exported.entries("raises")}


@pytest.mark.parametrize("exported", FUNCTIONS, ids=str)
def test_adata_comes_first_and_options_are_keyword_only(exported):
    parameters = exported.signature.parameters
    assert "adata" not in parameters or next(iter(parameters)) == "adata"
    if exported.module in {"squint", "squint.io", "squint.pp", "squint.tl"}:
        for parameter in parameters.values():
            is_option = parameter.default is not inspect.Parameter.empty
            assert not is_option or parameter.kind is inspect.Parameter.KEYWORD_ONLY, parameter


@pytest.mark.parametrize("exported", [f for f in FUNCTIONS if f.module not in FORMATS], ids=str)
def test_what_functions_share_is_said_in_the_same_words(exported):
    for parameter in exported.entries("parameters"):
        assert parameter.description.startswith(SHARED.get(parameter.name, "")), parameter.name


@pytest.mark.parametrize("tool", TOOLS, ids=str)
def test_a_tool_says_what_it_writes_what_it_refuses_and_where_it_is_from(tool):
    assert next(iter(tool.signature.parameters)) == "adata"
    assert tool.signature.parameters["copy"].default is False
    head, *fields = tool.entries("returns")
    assert str(head.annotation) == f"{RETURNS}{'field' if len(fields) == 1 else 'fields'}:"
    assert tool.slots
    assert tool.entries("raises")
    assert SOURCE.search(tool.text("References"))
