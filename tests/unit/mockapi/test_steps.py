"""What a user may write in a step, and what is said when it makes no sense."""

from typing import Any

import pytest

from mockapi.errors import BadScript
from mockapi.steps import Place, parse_script, parse_step


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"txet": "x"}, "unknown key txet; known are at, chunks"),
        ({"text": 1}, "`text` must be a string"),
        ({"slow": "fast"}, "`slow` must be a number of seconds"),
        ({"slow": -1}, "`slow` must be a number of seconds"),
        ({"chunks": 0}, "`chunks` must be a whole number of at least 1"),
        ({"input": {}}, "`input` needs a `tool`"),
        ({"tools": [{"tool": "Bash", "args": {}}]}, "unknown key args"),
        ({"tools": ["Bash"]}, "a tool call is"),
        ({"fault": 529}, "`fault` must be an object"),
        ({"fault": {"status": 200}}, "`status` must be a whole number of at least 400"),
        ({"fault": {"status": 600}}, "between 400 and 599"),
        ({"fault": {"status": 500, "headers": {"x": [1]}}}, "`headers` must be an object"),
        ({"fault": {"status": 500, "headers": {"x": "a\r\nb: c"}}}, "cannot stand in a header"),
        ({"fault": {"status": 500}, "at": "middle"}, "`fault` comes before the headers"),
        ({"sse_error": "overloaded_error", "at": "headers"}, "`sse_error` needs a stream"),
        ({"at": "end"}, "`at` must be one of headers, start, middle"),
        ({"until": {"gate": ""}}, "`until` must be"),
        ({"until": {"door": "x"}}, "unknown key door"),
        ({"expect": [1]}, "`expect` must be a text"),
        ({"else": "x"}, "`else` needs an `expect`"),
        ({"usage": {"tokens": 1}}, "`usage` must be an object with some of"),
        ({"usage": {"input_tokens": -1}}, "input_tokens must be a whole number"),
        ({"usage": {"cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 2}}}, "must be the sum"),
        ("text", "a step is an object"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(step: Any, says: str) -> None:
    with pytest.raises(BadScript) as refused:
        parse_step(step)
    assert says in str(refused.value)


def test_the_number_of_the_wrong_step_is_told() -> None:
    with pytest.raises(BadScript, match="step 2: unknown key"):
        parse_script([{"text": "x"}, {"no": 1}])


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"until": {"gate": "g"}}, Place.START),
        ({"drop": True}, Place.MIDDLE),
        ({"drop": True, "at": "headers"}, Place.HEADERS),
        ({"fault": {"status": 529}, "until": {"gate": "g"}}, Place.HEADERS),
        ({"stall": 1, "at": "middle"}, Place.MIDDLE),
    ],
)
def test_every_trouble_has_its_usual_place(step: dict[str, Any], place: Place) -> None:
    assert parse_step(step).at == place


def test_times_may_stand_in_the_fault_or_beside_it() -> None:
    assert parse_step({"fault": {"status": 529, "times": 2}}).times == 2
    assert parse_step({"fault": {"status": 529}, "times": 3}).times == 3
