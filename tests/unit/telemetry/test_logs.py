"""Lines of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from stint.telemetry.logs import QUIET, setup


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    written = capsys.readouterr()
    assert written.out == ""
    return [json.loads(line) for line in written.err.splitlines()]


def test_each_line_is_one_json_object_with_time_level_name_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    setup("info")
    logging.getLogger("stint.some").warning("two\nlines and %s", '"quotes"')
    [line] = lines(capsys)
    assert line.pop("time")
    assert line == {"level": "WARNING", "name": "stint.some", "message": 'two\nlines and "quotes"'}


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    setup("INFO")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("stint").exception("it failed")
    [line] = lines(capsys)
    assert "ValueError: broken" in line["exc_info"]


@pytest.mark.parametrize(("level", "seen"), [("debug", ["d", "i", "w"]), ("INFO", ["i", "w"]), ("warning", ["w"])])
def test_the_level_is_the_one_asked_for(level: str, seen: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    setup(level)
    log = logging.getLogger("stint.levels")
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert [line["message"] for line in lines(capsys)] == seen


@pytest.mark.parametrize("name", QUIET)
def test_loggers_that_would_print_whole_objects_are_silent_even_at_debug(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    setup("DEBUG")
    logging.getLogger(name).info("a prompt")
    logging.getLogger(name).warning("trouble")
    assert [line["message"] for line in lines(capsys)] == ["trouble"]


def test_setting_up_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    setup("INFO")
    setup("INFO")
    logging.getLogger("stint").info("once")
    assert len(lines(capsys)) == 1


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        setup("loud")
