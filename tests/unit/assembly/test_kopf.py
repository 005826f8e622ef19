"""What Kopf must not do."""

from __future__ import annotations

import kopf

from stint.assembly import NoDiffs, kopf_settings


def test_kopf_writes_nothing_and_looks_for_nothing() -> None:
    settings = kopf.OperatorSettings()
    kopf_settings(settings)
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.networking.enforce_retry_after
    assert settings.process.ultimate_exiting_timeout == 25
    assert isinstance(settings.persistence.progress_storage, kopf.StatusProgressStorage)


def test_kopf_computes_no_differences() -> None:
    settings = kopf.OperatorSettings()
    kopf_settings(settings)
    storage, body, patch = settings.persistence.diffbase_storage, kopf.Body({"spec": {"field": "a"}}), kopf.Patch()
    assert isinstance(storage, NoDiffs)
    assert storage.build(body=body) == storage.fetch(body=body) == {}
    storage.store(body=body, patch=patch, essence=storage.build(body=body))
    assert dict(patch) == {}
