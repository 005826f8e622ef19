"""What the leader writes, in which order, and how it heals what others have spoilt."""

from __future__ import annotations

import asyncio
import base64

import pytest

from simulation.virtual_time import VirtualLoop
from stint.certificates import keeper
from stint.certificates.keeper import LOOK_EVERY, keep_certificate, look_after
from stint.certificates.pair import Serving, problem, trusted
from stint.certificates.secret import CONFIGURATION, CONFIGURATIONS, MUTATING, SECRET, VALIDATING, bundles, read_secret
from stint.kube.errors import Conflict, Unreachable
from stint.kube.resources import SECRETS
from unit.certificates.kit import NAMES, NAMESPACE, NOW, Cluster, after, pair
from unit.engine.kit import virtual

ALL_NEW = ["create secrets", "patch mutatingwebhookconfigurations", "patch validatingwebhookconfigurations"]


def held(cluster: Cluster) -> Serving:
    return read_secret(cluster.objects[SECRETS.plural, SECRET])


def trust(cluster: Cluster) -> list[bytes]:
    return [bundle for each in CONFIGURATIONS for bundle in bundles(cluster.objects[each.plural, CONFIGURATION])]


async def look(cluster: Cluster, days: float = 0) -> None:
    await look_after(cluster, NAMESPACE, lambda: after(days))


async def test_at_first_the_pair_is_made_and_every_webhook_is_told_whom_to_trust() -> None:
    cluster = Cluster()
    await look(cluster)
    assert cluster.writes == ALL_NEW
    assert problem(held(cluster), NAMES, NOW) == ""
    assert trust(cluster) == [held(cluster).authorities] * 3


async def test_what_is_good_is_left_alone() -> None:
    cluster = Cluster()
    await look(cluster)
    cluster.writes.clear()
    await look(cluster)
    assert cluster.writes == []


async def test_a_renewed_certificate_is_trusted_beside_the_one_that_is_still_served() -> None:
    cluster = Cluster()
    await look(cluster)
    before = held(cluster)
    await look(cluster, days=61)
    assert held(cluster) != before
    assert all(trusted(serving, bundle) for bundle in trust(cluster) for serving in (before, held(cluster)))


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=["mutating", "validating"])
@pytest.mark.parametrize("bundle", [None, "", "!", base64.b64encode(pair().authorities).decode()], ids=["gone", "empty", "no base64", "foreign"])
async def test_a_spoilt_bundle_is_put_right_and_the_certificate_stays(configuration: object, bundle: str | None) -> None:
    cluster = Cluster()
    await look(cluster)
    before = held(cluster)
    resource = MUTATING if configuration == MUTATING else VALIDATING
    cluster.objects[resource.plural, CONFIGURATION]["webhooks"][0]["clientConfig"] = {} if bundle is None else {"caBundle": bundle}
    cluster.writes.clear()
    await look(cluster)
    assert cluster.writes == [f"patch {resource.plural}"]
    assert held(cluster) == before
    assert trust(cluster) == [before.authorities] * 3


@pytest.mark.parametrize("spoilt", ["deleted", "foreign", "expired", "no base64"])
async def test_a_spoilt_secret_is_made_anew(spoilt: str) -> None:
    cluster = Cluster()
    await look(cluster)
    before = held(cluster)
    if spoilt == "deleted":
        cluster.remove(SECRETS, SECRET)
    elif spoilt == "no base64":
        cluster.objects[SECRETS.plural, SECRET]["data"]["tls.key"] = "not base64"
    else:
        foreign = pair(after(-200 if spoilt == "expired" else 0))
        cluster.put_secret(foreign if spoilt == "expired" else Serving(before.authorities, foreign.certificate, foreign.key))
    await look(cluster)
    assert held(cluster) != before
    assert problem(held(cluster), NAMES, NOW) == ""
    assert trust(cluster) == [held(cluster).authorities] * 3


async def test_without_webhook_configurations_nothing_fails() -> None:
    cluster = Cluster()
    for resource in CONFIGURATIONS:
        cluster.remove(resource, CONFIGURATION)
    await look(cluster)
    assert cluster.writes == ["create secrets"]


async def test_who_was_slower_writes_nothing() -> None:
    cluster = Cluster()
    expired = pair(after(-100))
    cluster.put_secret(expired)
    cluster.meanwhile = lambda: cluster.put_secret(pair())
    with pytest.raises(Conflict):
        await look(cluster)
    assert cluster.writes == []


def test_whatever_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[float] = []
    failures = [Unreachable("no answer"), Conflict(409, "Conflict", "changed"), None, None]

    async def scenario(loop: VirtualLoop) -> None:
        async def once(*_: object) -> None:
            tries.append(loop.time())
            failure = failures[len(tries) - 1]
            if failure is not None:
                raise failure

        monkeypatch.setattr(keeper, "look_after", once)
        task = asyncio.create_task(keep_certificate(Cluster(), NAMESPACE, lambda: NOW))
        await asyncio.sleep(3.5 * LOOK_EVERY)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual(scenario)
    assert [at - tries[0] for at in tries] == [0, LOOK_EVERY, 2 * LOOK_EVERY, 3 * LOOK_EVERY]
