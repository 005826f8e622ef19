"""Which error an answer becomes."""

from __future__ import annotations

import pytest

from stint.kube.errors import ApiError, Conflict, Expired, NotFound, Refused, Unauthorized, from_status


@pytest.mark.parametrize(
    ("code", "kind"),
    [(401, Unauthorized), (403, Refused), (422, Refused), (404, NotFound), (409, Conflict), (410, Expired), (400, ApiError), (418, ApiError)],
)
def test_each_code_has_its_error(code: int, kind: type[ApiError]) -> None:
    assert type(from_status(code, {})) is kind


def test_the_servers_own_words_are_kept() -> None:
    error = from_status(403, {"reason": "Forbidden", "message": "exceeded quota", "details": {"causes": [{"reason": "X"}]}})
    assert (error.code, error.reason, error.message, error.details) == (403, "Forbidden", "exceeded quota", {"causes": [{"reason": "X"}]})
    assert str(error) == "403 Forbidden: exceeded quota"


def test_a_server_that_says_nothing_is_no_trouble() -> None:
    error = from_status(404, {"details": None})
    assert (error.reason, error.message, error.details) == ("", "no message", {})
