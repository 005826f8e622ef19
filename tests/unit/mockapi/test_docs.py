"""Every example of docs/mockapi.md is a script that the server takes."""

import json
import re
from pathlib import Path

import pytest

from mockapi.script import due_step
from mockapi.steps import parse_step
from unit.mockapi.calls import user

PAGE = (Path(__file__).parents[3] / "docs" / "mockapi.md").read_text()
STEPS = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_page_is_a_step(step: str) -> None:
    parse_step(json.loads(step.replace("{…}", "{}")))


def test_the_page_has_steps() -> None:
    assert len(STEPS) >= 18


def test_the_example_session_has_a_script() -> None:
    block = re.search(r"prompt: \|\n(.*?)```", PAGE, re.DOTALL)
    assert block
    assert due_step({"messages": [user(block[1])]}).step.thinking == "Let me look first."
