"""A damaged section has a card of its own, from which it is made again or deleted; the others are as ever."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from squint.errors import InputError
from squint.library.store import GENES, THUMBNAIL, Library

Open = Callable[..., AppTest]

pytestmark = pytest.mark.slow


def spoil(library: Library, section_id: str, name: str) -> None:
    path = library.folder(section_id) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_it_is_made_again(visit: Open, loaded: Library) -> None:
    every = loaded.sections()
    spoil(loaded, every[0].id, GENES)
    with pytest.raises(InputError, match="damaged"):
        loaded.genes(every[0].id)
    app = visit("sections")
    assert not app.exception
    assert any("is damaged" in one.value for one in app.markdown)
    assert not [button for button in app.button if button.key == f"tokenise-{every[0].id}"]
    app.button(f"rebuild-{every[0].id}").click().run()
    assert not app.exception
    assert loaded.sections() == every
    assert loaded.damaged() == []
    assert not [button for button in app.button if (button.key or "").startswith("rebuild-")]


def test_what_is_found_damaged_while_it_is_shown_is_said(visit: Open, loaded: Library) -> None:
    every = loaded.sections()
    spoil(loaded, every[0].id, THUMBNAIL)
    app = visit("sections")
    assert not app.exception
    assert any("in the library is damaged" in one.value for one in app.error)
    app.run()
    app.button(f"delete-{every[0].id}").click().run()
    app.button("delete-for-good").click().run()
    assert loaded.sections() == every[1:]
    assert loaded.damaged() == []
