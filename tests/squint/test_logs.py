"""Logs hold what happened and where, and nothing of what was in a file."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import logs
from squint.errors import InputError
from tests.helpers.paths import ROOT

PERSON = "MEIER, Erna *1931-02-03"


def run(code: str, kind: str) -> list[str]:
    """Run code in a process of its own; give what it wrote to stderr."""
    head = f"import logging, threading, warnings\nfrom squint import logs\nPERSON = {PERSON!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT,
        env={"PATH": "", "SQUINT_LOG": kind},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.splitlines()


def caught(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as found:  # noqa: PT011 - any of them
        function()
    return found.value


@given(st.text("QXZ", min_size=6, max_size=20), st.integers(0, 3))
def test_no_word_of_an_error_nor_of_those_it_came_of_is_in_its_lines(secret: str, kind: int) -> None:
    def fail() -> None:
        table = {"a": 1}
        if kind == 0:
            table[secret]
        if kind == 1:
            raise InputError(secret)
        if kind == 2:
            raise ExceptionGroup(secret, [ValueError(secret), OSError(2, secret, secret)])
        try:
            int(secret)
        except ValueError as error:
            error.add_note(secret)
            raise RuntimeError(secret) from error

    lines = logs.without_values(caught(fail))
    assert secret not in "\n".join(lines)
    assert any(
        line.strip() == ("KeyError", "squint.errors.InputError", "OSError", "RuntimeError")[kind]
        or line.endswith("FileNotFoundError")
        for line in lines
    )
    assert any("in fail" in line for line in lines)


def test_an_error_that_came_of_itself_ends() -> None:
    error = ValueError()
    error.__cause__ = error
    assert logs.without_values(error)[-1] == "ValueError"


@pytest.mark.parametrize("kind", ["text", "json"])
def test_what_nobody_caught_is_logged_without_its_words(kind: str) -> None:
    code = (
        "logs.configure('worker')\n"
        "def fail(): int(PERSON)\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "warnings.warn(PERSON)\n"
        "try: fail()\n"
        "except ValueError: logging.getLogger('a.b').exception('%d failed', 3)\n"
        "fail()\n"
    )
    lines = run(code, kind)
    text = "\n".join(lines)
    assert PERSON not in text
    assert text.count("in fail") == 3
    assert "UserWarning in <string>, line" in text
    if kind == "json":
        said = [json.loads(line) for line in lines]
        assert [one["event"] for one in said] == [
            "This was not caught in a thread",
            "UserWarning in <string>, line 7",
            "3 failed",
            "This was not caught",
        ]
        assert {one["process"] for one in said} == {"worker"}
        assert said[2]["error"] == "ValueError"
        assert all(one["time"].endswith("+00:00") for one in said)


def test_json_has_fields_and_text_has_no_ordinary_events() -> None:
    code = (
        "logs.configure('engine')\n"
        "known = logging.getLogger('squint.engine')\n"
        "with logs.about(job=7):\n"
        "    logs.say(known, 'job ended', seconds=1.5)\n"
        "known.warning('odd\\n%s', 'line')\n"
    )
    ended, odd = (json.loads(line) for line in run(code, "json"))
    assert (ended["event"], ended["job"], ended["seconds"], ended["logger"]) == (
        "job ended",
        7,
        1.5,
        "squint.engine",
    )
    assert odd["event"] == "odd\nline"
    assert "job" not in odd
    assert [line.split(" ", 2)[2] for line in run(code, "text")[:1]] == ["engine: odd"]


def test_loggers_with_handlers_of_their_own_are_taken_over() -> None:
    code = (
        "own = logging.getLogger('distributed.worker')\n"
        "own.addHandler(logging.StreamHandler()); own.propagate = False\n"
        "logs.configure('worker')\n"
        "own.warning('once')\n"
    )
    (line,) = run(code, "json")
    assert json.loads(line)["event"] == "once"


def test_asyncio_quotes_nothing() -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, f"Task failed\nfuture: {PERSON}", None, None)
    assert json.loads(logs._Json("web").format(record))["event"] == "Task failed"


def test_fields_last_as_long_as_their_block_and_follow_into_tasks() -> None:
    formatter = logs._Json("web")
    seen = []

    async def work(name: str) -> None:
        with logs.about(request=name):
            await asyncio.sleep(0)
            record = logging.LogRecord("a", logging.INFO, "", 0, "event", None, None)
            seen.append(json.loads(formatter.format(record))["request"])

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    with ThreadPoolExecutor(1) as threads:  # which runs no loop, as this one may for a browser
        threads.submit(asyncio.run, both()).result()
    assert seen == ["a", "b"]
    record = logging.LogRecord("a", logging.INFO, "", 0, "event", None, None)
    assert "request" not in json.loads(formatter.format(record))


def test_another_kind_of_log_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("SQUINT_LOG", "xml")
    with pytest.raises(InputError, match="text or json"):
        logs.style()
