import inspect
import subprocess
import sys

import pytest

import squint

TOOLS = [
    (module, name)
    for module in ("pp", "tl")
    for name, tool in inspect.getmembers(getattr(squint, module), inspect.isfunction)
    if "copy" in inspect.signature(tool).parameters
]


def test_importing_squint_or_its_figures_loads_neither_torch_nor_scanpy_nor_streamlit():
    code = (
        "import sys, squint, squint.pl, squint.io; print({'torch', 'scanpy', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", dir(squint))
def test_every_public_name_is_there_and_documented(name):
    assert inspect.getdoc(getattr(squint, name))


@pytest.mark.parametrize(("module", "name"), TOOLS)
def test_a_tool_takes_adata_first_and_says_what_it_writes(module, name):
    tool = getattr(getattr(squint, module), name)
    parameters = inspect.signature(tool).parameters
    assert next(iter(parameters)) == "adata"
    assert parameters["copy"].default is False
    assert parameters["copy"].kind is inspect.Parameter.KEYWORD_ONLY
    for heading in ("Parameters", "Returns", "Raises"):
        assert f"\n{heading}\n" in inspect.getdoc(tool)
    assert "``adata." in inspect.getdoc(tool)
