"""People at the dashboard without a browser: they see what a page shows, press, choose and write on it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import ClientConnection

from tests.helpers.visits import visitor

_BLOCK = 1 << 20
_PAUSE_S = 0.5  # in which nothing comes: the server has said all
_OVER = {
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
}


class UnhappyError(AssertionError):
    """The page shows an error, or not what was asked for."""


class User:
    """One session: what its page shows now, by the place of each element.

    Parameters
    ----------
    address
        Of the server.
    socket
        Of the session.
    patience
        Seconds in which something must come.
    """

    def __init__(self, address: str, socket: ClientConnection, patience: float = 600) -> None:
        self.address, self._socket, self._patience = address, socket, patience
        self._shown: dict[tuple[int, ...], tuple[Element, str]] = {}  # and its fragment
        self._values: dict[str, WidgetState] = {}
        self._again: dict[str, float] = {}  # fragments that are drawn anew every so many seconds
        self._page, self._hash = "", ""

    def open(self, page: str) -> None:
        """Go to a page."""
        self._page = page
        self._run(page_name=page)

    def press(self, key: str) -> None:
        """Press a button."""
        self._change(self._find(key), WidgetState(trigger_value=True))

    def choose(self, key: str, option: str) -> None:
        """Choose one of several that lie beside each other."""
        state = WidgetState()
        state.string_array_value.data.append(option)
        self._change(self._find(key), state)

    def options(self, key: str) -> list[str]:
        """Give what can be chosen."""
        element, _ = self._find(key)
        return [option.content for option in element.button_group.options]

    def write(self, key: str, text: str) -> None:
        """Fill a field in."""
        self._change(self._find(key), WidgetState(string_value=text))

    def fields(self) -> dict[str, str]:
        """Give the text of each field of text, by its label."""
        fields = [one.text_input for one, _ in self._shown.values() if one.WhichOneof("type") == "text_input"]
        return {field.label: field.id for field in fields}

    def fill_in(self, label: str, text: str) -> None:
        """Fill a field in that is called so."""
        self.write(self.fields()[label], text)

    def has(self, key: str) -> bool:
        """Say whether the page has a widget."""
        return any(_is(element, key) for element, _ in self._shown.values())

    def watch(self, seconds: float) -> None:
        """Let what draws itself anew do so, for some time."""
        end = time.monotonic() + seconds
        while self._again and time.monotonic() < end:
            fragment, every = next(iter(self._again.items()))
            time.sleep(every)
            self._run(page_script_hash=self._hash, fragment_id=fragment, is_auto_rerun=True)
            self._follow()
        time.sleep(max(0.0, end - time.monotonic()))

    @property
    def is_busy(self) -> bool:
        """Whether work is followed on the page."""
        return bool(self._again)

    def upload(self, path: Path) -> None:
        """Send a file to where the page takes sections, as the browser does."""
        at = urlsplit(self.address)
        line = HTTPConnection(at.hostname or "", at.port, timeout=self._patience)
        target = self._mounted("max_files")["address"]
        headers = {"X-File-Name": quote(path.name), "Content-Length": str(path.stat().st_size)}
        with path.open("rb") as file:
            line.request("PUT", target, body=iter(lambda: file.read(_BLOCK), b""), headers=headers)
        answer = line.getresponse()
        said = answer.read().decode()
        line.close()
        if answer.status != 201:
            raise UnhappyError(f"{answer.status}: {said}")
        self._run(page_script_hash=self._hash)

    def words(self) -> str:
        """Give what the page says in texts and boxes."""
        kinds = ("markdown", "alert", "heading")
        return "\n".join(
            getattr(element, kind).body
            for element, _ in self._shown.values()
            if (kind := element.WhichOneof("type")) in kinds
        )

    def _find(self, key: str) -> tuple[Element, str]:
        for element, fragment in self._shown.values():
            if _is(element, key):
                return element, fragment
        raise UnhappyError(f"{self._page or 'the first page'} has no {key!r}: {self.words()[:500]}")

    def _mounted(self, name: str) -> Mapping[str, Any]:
        for element, _ in self._shown.values():
            told = element.bidi_component.json
            if told and name in (data := json.loads(told)):
                return dict(data)
        raise UnhappyError(f"nothing on {self._page!r} was told {name!r}")

    def _change(self, found: tuple[Element, str], state: WidgetState) -> None:
        element, fragment = found
        state.id = _id(element)
        if state.WhichOneof("value") != "trigger_value":
            self._values[state.id] = state
        self._run(page_script_hash=self._hash, fragment_id=fragment, also=state)

    def _run(self, *, also: WidgetState | None = None, **how: Any) -> None:
        asked = BackMsg()
        for name, value in how.items():
            setattr(asked.rerun_script, name, value)
        widgets = {**self._values, **({also.id: also} if also else {})}
        asked.rerun_script.widget_states.CopyFrom(WidgetStates(widgets=widgets.values()))
        if not how.get("fragment_id"):
            self._shown, self._again = {}, {}
        else:
            self._again.pop(how["fragment_id"], None)
        self._socket.send(asked.SerializeToString())
        while not self._take(ForwardMsg.FromString(self._received())):
            pass
        self._check()

    def _follow(self) -> None:
        """Take what the server draws by itself: what drew itself anew may have asked for the whole page."""
        with suppress(TimeoutError):
            while True:
                self._take(ForwardMsg.FromString(self._received(_PAUSE_S)))
        self._check()

    def _received(self, patience: float | None = None) -> bytes:
        part = self._socket.recv(timeout=self._patience if patience is None else patience)
        if not isinstance(part, bytes):
            raise UnhappyError(f"the server sent text: {part[:100]}")
        return part

    def _take(self, told: ForwardMsg) -> bool:
        """Take what the server tells; say whether the page is complete."""
        kind = told.WhichOneof("type")
        if kind == "navigation":  # which begins a page, and not what draws itself anew
            self._shown, self._again = {}, {}
            self._hash = told.navigation.page_script_hash
        elif kind == "delta" and told.delta.WhichOneof("type") == "new_element":
            place = tuple(told.metadata.delta_path)
            self._shown[place] = told.delta.new_element, told.delta.fragment_id
        elif kind == "auto_rerun":
            self._again[told.auto_rerun.fragment_id] = told.auto_rerun.interval
        elif kind == "ref_hash":
            raise UnhappyError("the server refers to a message that was never kept")
        elif kind == "script_finished" and told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self._shown, self._again = {}, {}  # all of the page follows
        return kind == "script_finished" and told.script_finished in _OVER

    def _check(self) -> None:
        for element, _ in self._shown.values():
            kind = element.WhichOneof("type")
            if kind == "exception":
                raise UnhappyError(f"{self._page!r}: {element.exception.type} {element.exception.message}")
            if kind == "alert" and element.alert.format == Alert.ERROR:
                raise UnhappyError(f"{self._page!r}: {element.alert.body}")


@contextmanager
def user(address: str, patience: float = 600) -> Iterator[User]:
    """Open a session; it is closed in the end."""
    with visitor(address) as socket:
        yield User(address, socket, patience)


def _id(element: Element) -> str:
    kind = element.WhichOneof("type")
    return str(getattr(getattr(element, kind), "id", "")) if kind else ""


def _is(element: Element, key: str) -> bool:
    """Say whether a widget has a key, or an id."""
    found = _id(element)
    return bool(found) and (found == key or found.endswith(f"-{key}"))
