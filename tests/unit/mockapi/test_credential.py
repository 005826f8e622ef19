"""Credentials: checked like the API does, and never kept."""

import hashlib

import pytest

from mockapi.state import Options
from unit.mockapi.calls import Api


async def test_any_credential_is_good_but_none_is_not(api: Api) -> None:
    assert (await api.ask("hi", key="anything")).status == 200
    assert (await api.ask("hi", key="", token="anything")).status == 200
    refused = await api.ask("hi", key="")
    assert refused.status == 401
    assert refused.body["error"] == {"type": "authentication_error", "message": "x-api-key header is required"}


@pytest.mark.parametrize("options", [Options(keys=["good", "better"])])
async def test_only_required_keys_are_good(api: Api) -> None:
    assert (await api.ask("hi", key="good")).status == 200
    assert (await api.ask("hi", key="", token="better")).status == 200
    refused = await api.ask("hi", key="bad")
    assert refused.status == 401
    assert refused.body["error"] == {"type": "authentication_error", "message": "invalid x-api-key"}
    assert (await api.ask("hi", key="", token="bad")).body["error"]["message"] == "Invalid bearer token"
    assert (await api.ask("hi", key="good", token="placeholder")).status == 401, "both must be good"


async def test_a_key_can_be_changed_while_it_runs(api: Api) -> None:
    await api.control("PUT", "/keys", ["new"])
    assert (await api.ask("hi", key="key-1")).status == 401
    assert (await api.ask("hi", key="new")).status == 200
    await api.control("PUT", "/keys", [])
    assert (await api.ask("hi", key="new")).status == 401
    await api.control("DELETE", "/keys")
    assert (await api.ask("hi", key="key-1")).status == 200


async def test_a_credential_is_kept_as_a_digest_only(api: Api) -> None:
    await api.ask("hi", key="very-secret-key")
    await api.control("PUT", "/keys", ["very-secret-key"])
    [call] = await api.seen()
    assert call["credential"] == hashlib.sha256(b"very-secret-key").hexdigest()[:12]
    for path in ("/requests", "/sessions", "/keys", "/"):
        async with api.http.get(f"{api.url}/_mock{path}") as response:
            assert "very-secret-key" not in await response.text()


async def test_hello_needs_no_credential(api: Api) -> None:
    async with api.http.head(f"{api.url}/api/hello") as response:
        assert response.status == 200
        assert response.headers["request-id"].startswith("req_")


async def test_a_required_key_refuses_the_model_list_too(api: Api) -> None:
    async with api.http.get(f"{api.url}/v1/models") as response:
        assert response.status == 401
