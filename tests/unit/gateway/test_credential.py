"""The credential: read anew when it changes, put in the agent's placeholder's place, never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stint.gateway.config import Auth
from stint.gateway.credential import Credential, CredentialError
from stint.gateway.headers import error_to_agent, to_agent, to_provider
from unit.gateway.kit import KEY


def mounted(folder: Path, value: str, version: str) -> Path:
    """A Secret's volume as the kubelet keeps it: the file is a link into a folder that is swapped as a whole."""
    (folder / version).mkdir()
    (folder / version / "credential").write_text(value)
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version)
    os.replace(fresh, folder / "..data")
    link = folder / "credential"
    if not link.is_symlink():
        link.symlink_to("..data/credential")
    return link


def test_a_swapped_secret_is_read_at_once(tmp_path: Path) -> None:
    credential = Credential(mounted(tmp_path, "key-number-one\n", "v1"))
    assert credential.secret() == "key-number-one"
    mounted(tmp_path, "key-number-two\n", "v2")
    assert credential.secret() == "key-number-two"


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential(mounted(tmp_path, KEY, "v1"))
    credential.secret()
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert credential.secret() == KEY


@pytest.mark.parametrize("value", ["", "  \n", "two\nlines", "schlüssel", "tab\there"])
def test_a_value_that_is_no_credential_is_refused_without_being_shown(tmp_path: Path, value: str) -> None:
    credential = Credential(mounted(tmp_path, value, "v1"))
    with pytest.raises(CredentialError) as caught:
        credential.secret()
    assert "empty or is not a single line" in str(caught.value)
    assert not value.strip() or value.strip() not in str(caught.value)


def test_a_missing_file_is_an_error_until_it_comes(tmp_path: Path) -> None:
    credential = Credential(tmp_path / "credential")
    with pytest.raises(CredentialError, match=r"cannot be read \(No such file or directory\).*Check that the Secret"):
        credential.secret()
    mounted(tmp_path, KEY, "v1")
    assert credential.secret() == KEY


def test_the_key_and_the_one_before_it_are_taken_out_of_any_text(tmp_path: Path) -> None:
    credential = Credential(mounted(tmp_path, 'first"key\\x', "v1"))
    credential.secret()
    mounted(tmp_path, KEY, "v2")
    credential.secret()
    assert credential.redact(f"a {KEY} b") == "a [redacted] b"
    assert credential.redact('{"m": "first\\"key\\\\x"} first"key\\x') == '{"m": "[redacted]"} [redacted]'


def test_a_value_too_short_to_be_a_key_does_not_spoil_ordinary_words(tmp_path: Path) -> None:
    credential = Credential(mounted(tmp_path, "key", "v1"))
    credential.secret()
    assert credential.redact("a keyboard") == "a keyboard"


AGENT_SENDS = [
    ("Host", "127.0.0.1:8787"),
    ("X-Api-Key", "placeholder"),
    ("authorization", "Bearer placeholder"),
    ("Cookie", "a=b"),
    ("Proxy-Authorization", "Basic x"),
    ("Connection", "keep-alive, X-Only-Here"),
    ("X-Only-Here", "1"),
    ("Keep-Alive", "timeout=5"),
    ("Transfer-Encoding", "chunked"),
    ("TE", "trailers"),
    ("Upgrade", "h2c"),
    ("Expect", "100-continue"),
    ("Content-Length", "5"),
    ("Accept-Encoding", "gzip, br"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "beta-one,beta-two"),
    ("X-Claude-Code-Session-Id", "s"),
    ("User-Agent", "claude-cli/2"),
]
PASSED = {
    ("anthropic-version", "2023-06-01"),
    ("X-Claude-Code-Session-Id", "s"),
    ("User-Agent", "claude-cli/2"),
    ("Accept-Encoding", "identity"),
}


@pytest.mark.parametrize(
    ("auth", "added"),
    [
        ("APIKey", {("x-api-key", KEY), ("anthropic-beta", "beta-one,beta-two")}),
        ("AuthToken", {("Authorization", f"Bearer {KEY}"), ("anthropic-beta", "beta-one,beta-two")}),
        ("SetupToken", {("Authorization", f"Bearer {KEY}"), ("anthropic-beta", "beta-one,beta-two,oauth-2025-04-20")}),
    ],
)
def test_exactly_the_right_headers_reach_the_provider(auth: Auth, added: set[tuple[str, str]]) -> None:
    sent = to_provider(AGENT_SENDS, auth, KEY)
    assert set(sent.items()) == PASSED | added
    assert len(sent) == len(PASSED | added)


@pytest.mark.parametrize(
    ("betas", "merged"),
    [
        ([], "oauth-2025-04-20"),
        ([("anthropic-beta", "oauth-2025-04-20, a")], "oauth-2025-04-20,a"),
        ([("anthropic-beta", "a"), ("Anthropic-Beta", "b")], "a,b,oauth-2025-04-20"),
    ],
)
def test_the_beta_of_setup_tokens_is_merged_into_the_agents_own(betas: list[tuple[str, str]], merged: str) -> None:
    assert to_provider(betas, "SetupToken", KEY).getall("anthropic-beta") == [merged]


def test_an_answer_keeps_its_headers_but_those_of_the_connection_and_cookies() -> None:
    kept = to_agent(
        [
            ("Content-Type", "text/event-stream"),
            ("request-id", "req_1"),
            ("anthropic-ratelimit-requests-remaining", "3"),
            ("Content-Encoding", "gzip"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Set-Cookie", "a=b"),
            ("Alt-Svc", 'h3=":443"'),
        ]
    )
    assert list(kept) == ["Content-Type", "request-id", "anthropic-ratelimit-requests-remaining", "Content-Encoding"]


@pytest.mark.parametrize(("status", "told"), [(401, "false"), (403, "false"), (429, "true"), (529, "true")])
def test_only_a_refused_credential_is_not_worth_a_retry(status: int, told: str) -> None:
    kept = error_to_agent({"x-should-retry": "true", "Content-Encoding": "gzip", "Content-Length": "9", "retry-after": "3"}, status)
    assert dict(kept) == {"x-should-retry": told, "retry-after": "3"}
