"""What an answer used: the API's own figures, wherever the bytes are cut and however the answer ends."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest

from stint.gateway.admit import Ask
from stint.gateway.meter import LARGEST_CONTEXT, BodyMeter, Decoder, Ending, StreamMeter, unanswered
from stint.gateway.sse import MAX_LINE, EventReader
from stint.gateway.usage import Metered, Part, Tokens
from unit.gateway.kit import MODEL, STOP, event, message, message_delta, message_start, stream, text_delta

ASK = Ask(MODEL, stream=True, max_tokens=1000, speed=None, size=401)
WHOLE_ASK = Ask(MODEL, stream=False, max_tokens=1000, speed=None, size=401)


def metered(*parts: bytes, ending: Ending = Ending.COMPLETE, encoding: str = "") -> Metered | None:
    meter = StreamMeter(ASK, encoding)
    for part in parts:
        meter.feed(part)
    return meter.settle(ending)


def exactly(**tokens: int) -> Metered:
    return Metered((Part(MODEL, Tokens(**tokens)),))


def estimate(model: str | None = MODEL, **tokens: int) -> Metered:
    return Metered((Part(model, Tokens(**tokens)),), estimated=True)


WRITE: dict[str, Any] = {"cache_creation_input_tokens": 900, "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 700}}


def test_wherever_a_stream_is_cut_it_is_metered_the_same() -> None:
    whole = b"".join(stream(text="Grüße 🎈", cache_read_input_tokens=7, **WRITE))
    expected = exactly(input=100, output=40, cache_read=7, cache_write_5m=200, cache_write_1h=700)
    assert metered(whole) == expected
    for cut in range(len(whole) + 1):
        assert metered(whole[:cut], whole[cut:]) == expected, f"cut at byte {cut}"
    assert metered(*(whole[place : place + 1] for place in range(len(whole)))) == expected


def test_every_way_to_write_events_is_read() -> None:
    whole = b"".join(stream())
    assert metered(b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n")) == metered(whole)
    assert metered(whole.replace(b"data: ", b"data:")) == metered(whole)
    assert metered(b": a comment\nid: 1\n" + whole[:-2]) == metered(whole), "no empty line at the end"
    first = message_start().replace(b'"message":', b'\ndata: "message":')
    assert metered(first, message_delta(40)) == metered(whole), "data in several lines"


def test_the_newest_figures_win_and_a_null_is_no_figure() -> None:
    found = metered(
        message_start(cache_read_input_tokens=5, **WRITE),
        event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 10, "input_tokens": None, "cache_read_input_tokens": 6}),
        message_delta(60, input_tokens=150, cache_read_input_tokens=None),
        STOP,
    )
    assert found == exactly(input=150, output=60, cache_read=6, cache_write_5m=200, cache_write_1h=700)


@pytest.mark.parametrize(
    ("counts", "minutes", "hour"),
    [
        ({}, 0, 0),
        ({"cache_creation_input_tokens": 900}, 900, 0),
        ({"cache_creation_input_tokens": 900, "cache_creation": {"ephemeral_1h_input_tokens": 700}}, 200, 700),
        ({"cache_creation_input_tokens": 0, "cache_creation": {"ephemeral_5m_input_tokens": 3}}, 3, 0),
        ({"cache_creation_input_tokens": "900", "cache_creation": "?"}, 0, 0),
        ({"cache_creation_input_tokens": -900}, 0, 0),
    ],
)
def test_cache_writes_are_split_by_lifetime_and_five_minutes_is_the_default(counts: dict[str, Any], minutes: int, hour: int) -> None:
    found = metered(*stream(**counts))
    assert found == exactly(input=100, output=40, cache_write_5m=minutes, cache_write_1h=hour)


def test_web_searches_and_samplings_inside_the_request_are_counted() -> None:
    iterations = [
        {"type": "compaction", "input_tokens": 1800, "output_tokens": 35},
        {"type": "message", "input_tokens": 100, "output_tokens": 40},
        {"type": "advisor_message", "model": "claude-y", "input_tokens": 9, "output_tokens": 8, "cache_read_input_tokens": 7},
        {"input_tokens": 1},
        "?",
    ]
    found = metered(message_start(), message_delta(40, iterations=iterations, server_tool_use={"web_search_requests": 3}), STOP)
    assert found == Metered(
        (
            Part(MODEL, Tokens(input=100, output=40, web_searches=3)),
            Part(MODEL, Tokens(input=1800, output=35)),
            Part("claude-y", Tokens(input=9, output=8, cache_read=7)),
        )
    )


def test_the_model_that_answered_is_the_one_in_the_message() -> None:
    found = metered(*stream())
    assert found is not None
    assert found.parts[0].model == MODEL
    meter = StreamMeter(ASK, "")
    meter.feed(event("message_start", message={"usage": {"input_tokens": 5}}))
    assert meter.settle(Ending.HUNG_UP) == estimate(None, input=5)


@pytest.mark.parametrize(
    ("deltas", "output"),
    [
        ([], 1),
        ([text_delta("ab")], 1),
        ([text_delta("abcde")], 3),
        ([text_delta("🎈🎈")], 4),
        ([event("content_block_delta", delta={"type": "thinking_delta", "thinking": "abcd"})], 2),
        ([event("content_block_delta", delta={"type": "signature_delta", "signature": "abcd"})], 2),
        ([event("content_block_delta", delta={"type": "input_json_delta", "partial_json": '{"a":'})], 3),
        ([event("content_block_start", content_block={"type": "redacted_thinking", "data": "abcdef"})], 3),
        ([event("content_block_start", content_block={"type": "text", "text": ""})], 1),
        ([text_delta("abc"), text_delta("def"), text_delta("g")], 4),
        ([text_delta("ab"), event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 9})], 9),
        ([text_delta("a" * 40), event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 9})], 20),
    ],
)
@pytest.mark.parametrize("ending", list(Ending))
def test_a_stream_without_its_last_word_is_estimated_from_its_bytes(deltas: list[bytes], output: int, ending: Ending) -> None:
    assert metered(message_start(), *deltas, ending=ending) == estimate(input=100, output=output)


@pytest.mark.parametrize("last", [[message_delta(40)], [message_delta(40), STOP], [event("message_delta", usage={"output_tokens": 40}), STOP]])
def test_a_stream_that_said_its_last_word_is_exact_however_it_ends(last: list[bytes]) -> None:
    assert metered(message_start(), text_delta("x" * 400), *last, ending=Ending.HUNG_UP) == exactly(input=100, output=40)


def test_an_error_in_the_stream_is_kept_and_costs_what_was_done_before_it() -> None:
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert metered(failed) is None
    assert metered(message_start(), text_delta("abcd"), failed) == estimate(input=100, output=2)
    meter = StreamMeter(ASK, "")
    meter.feed(failed)
    assert meter.error is not None
    assert meter.error.as_json() == {"status": 200, "type": "overloaded_error", "message": "Overloaded"}


def test_nothing_is_charged_if_the_provider_hung_up_before_its_first_byte_and_the_input_if_we_did() -> None:
    assert metered(ending=Ending.HUNG_UP) is None
    assert metered(ending=Ending.GIVEN_UP) == estimate(None, input=201)
    assert metered(b'event: message_start\ndata: {"ty', ending=Ending.HUNG_UP) == estimate(None, input=201, output=16)


def test_what_is_no_event_of_the_api_does_not_disturb() -> None:
    noise = b'data: [DONE]\n\ndata: 5\n\ndata: {"type": "later"}\n\ndata: {"type": "message_delta", "usage": 3}\n\n'
    assert metered(noise, *stream(), noise) == metered(*stream())


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    reader = EventReader()
    assert list(reader.feed(b"data: a\n\n")) == [b"a"]
    for _ in range(MAX_LINE // (1 << 20) + 1):
        assert list(reader.feed(b"x" * (1 << 20))) == []
    assert reader.lost
    assert list(reader.feed(b"the rest of it\n\ndata: b\n\n")) == [b"b"]


@pytest.mark.parametrize("cut", [1, 10, 10_000])
def test_a_compressed_stream_is_read_along_decoded(cut: int) -> None:
    whole = b"".join(stream())
    for encoding, packed in (("gzip", gzip.compress(whole)), ("deflate", zlib.compress(whole))):
        pieces = [packed[place : place + cut] for place in range(0, len(packed), cut)]
        assert metered(*pieces, encoding=encoding) == metered(whole)


def test_a_broken_compression_is_estimated() -> None:
    assert metered(b"this is not gzip", encoding="gzip") == estimate(None, input=201, output=8)
    assert Decoder("gzip")(b"this is not gzip") == b""


def whole(*parts: bytes, ending: Ending = Ending.COMPLETE, encoding: str = "", ask: Ask = WHOLE_ASK) -> Metered | None:
    meter = BodyMeter(ask, encoding)
    for part in parts:
        meter.feed(part)
    found = meter.settle(ending)
    assert meter.started is (found is not None and not found.estimated)
    return found


def test_an_answer_in_one_piece_is_metered_by_its_usage() -> None:
    text = json.dumps(message(input_tokens=11, output_tokens=22, **WRITE)).encode()
    expected = exactly(input=11, output=22, cache_write_5m=200, cache_write_1h=700)
    assert whole(text) == expected
    assert whole(text[:9], text[9:]) == expected
    assert whole(gzip.compress(text), encoding="gzip") == expected
    assert whole(text, ending=Ending.GIVEN_UP) == expected


def test_an_answer_in_one_piece_that_never_came_may_have_used_all_it_was_allowed() -> None:
    assert whole(ending=Ending.HUNG_UP) is None
    assert whole(b'{"usa', ending=Ending.HUNG_UP) == estimate(None, input=201, output=1000)
    assert whole(ending=Ending.GIVEN_UP) == estimate(None, input=201, output=1000)
    assert whole(ending=Ending.GIVEN_UP, ask=ASK) == estimate(None, input=201, output=0)


@pytest.mark.parametrize("text", [b"<html>hello</html>", b'{"usage": null}   ', b'[{"usage": {}}]   '])
def test_a_good_answer_without_usage_is_estimated_from_its_bytes(text: bytes) -> None:
    assert whole(text) == estimate(None, input=201, output=9)


def test_an_answer_too_large_to_keep_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stint.gateway.meter.MAX_BODY", 10)
    text = json.dumps(message()).encode()
    assert whole(text[:50], text[50:]) == estimate(None, input=201, output=(len(text) + 1) // 2)


def test_no_estimate_is_larger_than_any_model_takes() -> None:
    huge = Ask(MODEL, stream=False, max_tokens=10**12, speed=None, size=30 << 20)
    assert unanswered(huge) == estimate(None, input=LARGEST_CONTEXT, output=LARGEST_CONTEXT)
