"""The route table of ``stint admission``: every Kopf handler, a line or two each. Their ids are the paths in the chart's webhook configurations.

Kopf serves and asks the handlers; it watches nothing here, and it leaves the configurations alone: they are Helm's, and the leader's.
"""

from __future__ import annotations

import gc
import logging
from typing import Any

import kopf

from stint.admission.answer import Answer
from stint.admission.process import Admission
from stint.admission.server import AdmissionServer
from stint.assembly import kopf_settings
from stint.kube.login import login
from stint.settings import settings as read_settings

registry = kopf.OperatorRegistry()
GROUP, VERSION = "stint.dev", "v1alpha1"
PORT = 9443


@kopf.on.startup(registry=registry)
async def startup(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    kopf_settings(settings)
    settings.admission.server = AdmissionServer(memo.certificate.context, PORT, memo.listening, memo.answered)
    logging.getLogger("kopf.objects").addFilter(is_news)
    gc.set_threshold(100_000, 50, 100)
    memo.health_server = await memo.serve_health(memo.settings.port)
    memo.start()


@kopf.on.login(registry=registry)
async def sign_in(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> kopf.AiohttpSession:
    return await login(memo.client, settings)


@kopf.on.mutate(GROUP, VERSION, "agentsessions", id="created-by", registry=registry)
async def created_by(memo: Any, body: kopf.Body, old: Any = None, *, userinfo: Any, patch: kopf.Patch, **_: Any) -> None:
    patch.metadata.annotations.update(memo.stamp(old, body["metadata"]["namespace"], userinfo))
    if held := memo.finalizers(old, body):
        patch.metadata["finalizers"] = held


@kopf.on.validate(GROUP, VERSION, "agentsessions", id="agentsession", registry=registry)
async def session(memo: Any, body: kopf.Body, old: Any = None, *, dryrun: bool, warnings: list[str], **_: Any) -> None:
    say(memo.session(dict(body), old is None, dryrun), warnings)


@kopf.on.validate(GROUP, VERSION, "ratebudgets", id="ratebudget", registry=registry)
async def budget(memo: Any, body: kopf.Body, warnings: list[str], **_: Any) -> None:
    say(memo.budget(dict(body)), warnings)


@kopf.on.validate(GROUP, VERSION, "agentprofiles", id="agentprofile", registry=registry)
async def profile(memo: Any, body: kopf.Body, warnings: list[str], **_: Any) -> None:
    say(memo.profile(dict(body)), warnings)


@kopf.on.validate(GROUP, VERSION, "modelproviders", id="modelprovider", registry=registry)
async def provider(memo: Any, body: kopf.Body, warnings: list[str], **_: Any) -> None:
    say(memo.provider(dict(body)), warnings)


@kopf.on.cleanup(registry=registry)
async def cleanup(memo: Any, **_: Any) -> None:
    await memo.stop()
    await memo.health_server.cleanup()


def say(answer: Answer, warnings: list[str]) -> None:
    """Hand an answer to Kopf."""
    warnings.extend(answer.warnings)
    if answer.refusal:
        raise kopf.AdmissionError(answer.refusal, code=answer.code)


def is_news(record: logging.LogRecord) -> bool:
    """Kopf logs each refusal as an error, in the words that the user gets; only what breaks a handler is one."""
    return record.exc_info is not None


async def admission() -> int:
    """Serve until told to stop (0) or something has failed (1)."""
    process = Admission(read_settings())
    await kopf.operator(registry=registry, memo=process, clusterwide=True, standalone=True, stop_flag=process.stop_flag)
    return 1 if process.failure else 0
