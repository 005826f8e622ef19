"""Rate-limit headers: realistic by default, settable for all, for one credential, or by a step."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from mockapi.credential import fingerprint
from unit.mockapi.calls import Api, script

P = "anthropic-ratelimit-"


async def test_a_key_gets_the_limits_of_an_organization(api: Api) -> None:
    headers = (await api.ask("hi")).headers
    assert headers[P + "requests-limit"] == "4000"
    assert headers[P + "tokens-remaining"] == "2399999"
    assert datetime.fromisoformat(headers[P + "input-tokens-reset"]) > datetime.now(UTC)
    assert headers["anthropic-organization-id"]
    assert not any(name.startswith(P + "unified") for name in headers)


async def test_a_token_gets_the_windows_of_a_subscription(api: Api) -> None:
    headers = (await api.ask("hi", key="", token="t")).headers
    assert headers[P + "unified-status"] == "allowed"
    assert time.time() < int(headers[P + "unified-5h-reset"]) <= time.time() + 5 * 3600
    assert time.time() < int(headers[P + "unified-7d-reset"]) <= time.time() + 7 * 86400
    assert P + "requests-limit" not in headers


async def test_a_step_sets_the_windows_of_its_own_answer(api: Api) -> None:
    step: dict[str, Any] = {
        "unified-status": "allowed_warning",
        "unified-5h-utilization": 0.92,
        "unified-5h-reset": "+60",
        "tokens-reset": None,
    }
    headers = (await api.ask(script({"text": "hi", "ratelimit": step}))).headers
    assert headers[P + "unified-status"] == "allowed_warning"
    assert headers[P + "unified-5h-utilization"] == "0.92"
    assert abs(int(headers[P + "unified-5h-reset"]) - time.time() - 60) < 5
    assert P + "tokens-reset" not in headers
    assert P + "unified-status" not in (await api.ask("hi")).headers


async def test_a_rejected_window_stands_on_the_fault(api: Api) -> None:
    step = {"fault": {"status": 429}, "ratelimit": {"unified-status": "rejected", "unified-reset": "+3600", "retry-after": 3600}}
    answer = await api.ask(script(step), key="", token="t")
    assert answer.status == 429
    assert answer.headers[P + "unified-status"] == "rejected"
    assert int(answer.headers[P + "unified-reset"]) > time.time() + 3500
    assert answer.headers["retry-after"] == "3600"


async def test_values_can_be_set_for_all_and_for_one_credential(api: Api) -> None:
    await api.control("PUT", "/ratelimit", {"unified-5h-utilization": 0.5, "requests-reset": "+10"})
    await api.control("PUT", f"/ratelimit?credential={fingerprint('tight')}", {"unified-5h-utilization": 0.99})
    assert (await api.ask("hi")).headers[P + "unified-5h-utilization"] == "0.5"
    assert (await api.ask("hi", key="tight")).headers[P + "unified-5h-utilization"] == "0.99"
    await api.control("DELETE", "/ratelimit")
    assert P + "unified-5h-utilization" not in (await api.ask("hi")).headers


@pytest.mark.parametrize("wrong", [[], {"a": {}}, {"a\r\nb": 1}])
async def test_headers_that_make_no_sense_are_explained(api: Api, wrong: object) -> None:
    async with api.http.put(f"{api.url}/_mock/ratelimit", json=wrong) as response:
        assert response.status == 400
