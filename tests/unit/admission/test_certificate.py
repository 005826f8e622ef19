"""When a replica takes a certificate, keeps one, and calls itself ready. TLS is real; the cluster is not."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import datetime

import pytest

from simulation.virtual_time import VirtualLoop
from stint.admission.certificate import LOOK_EVERY, Certificate
from stint.certificates.keeper import look_after
from stint.certificates.pair import Serving, make
from stint.certificates.secret import CONFIGURATION, MUTATING, SECRET
from stint.kube.errors import Unreachable
from stint.kube.resources import SECRETS
from unit.certificates.kit import NAMES, NAMESPACE, NOW, Cluster, after, pair
from unit.engine.kit import virtual


class Replica:
    """A certificate's keeper at a time that the test sets."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.days = 0.0
        self.certificate = Certificate(self.cluster, NAMESPACE, self.now)

    def now(self) -> datetime:
        return after(self.days)

    async def leader_looks(self) -> None:
        await look_after(self.cluster, NAMESPACE, self.now)

    @property
    def problem(self) -> str:
        return self.certificate.problem

    def serves(self) -> bytes:
        """The certificate that a client is shown."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        here = client.wrap_bio(incoming, outgoing)
        there = self.certificate.context.wrap_bio(outgoing, incoming, server_side=True)
        for side in (here, there, here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        shown = here.getpeercert(binary_form=True)
        assert shown is not None
        return ssl.DER_cert_to_PEM_cert(shown).encode()


@pytest.fixture
def replica() -> Replica:
    return Replica()


async def test_a_replica_is_ready_when_the_api_server_will_believe_it(replica: Replica) -> None:
    await replica.certificate.look()
    assert "no certificate in Secret stint-admission-tls yet" in replica.problem
    served = pair()
    replica.cluster.put_secret(served)
    await replica.certificate.look()
    assert "caBundle" in replica.problem
    await replica.leader_looks()
    await replica.certificate.look()
    assert replica.problem == ""
    assert replica.serves() == served.certificate


async def test_a_new_certificate_is_served_only_when_every_bundle_trusts_it(replica: Replica) -> None:
    await replica.leader_looks()
    await replica.certificate.look()
    before = replica.serves()
    fresh = make(NAMES, NOW)
    replica.cluster.put_secret(fresh)
    await replica.certificate.look()
    assert (replica.serves(), replica.problem) == (before, "")
    replica.cluster.put_secret(fresh)
    await replica.leader_looks()
    await replica.certificate.look()
    assert (replica.serves(), replica.problem) == (fresh.certificate, "")


async def test_a_renewal_leaves_the_replica_ready_all_the_time(replica: Replica) -> None:
    await replica.leader_looks()
    await replica.certificate.look()
    replica.days = 61
    await replica.leader_looks()
    assert replica.problem == ""
    before = replica.serves()
    await replica.certificate.look()
    assert replica.problem == ""
    assert replica.serves() != before


async def test_an_expired_certificate_is_not_ready_and_is_replaced_at_once(replica: Replica) -> None:
    await replica.leader_looks()
    await replica.certificate.look()
    replica.days = 91
    assert "expired" in replica.problem
    fresh = make(NAMES, after(91))
    replica.cluster.put_secret(fresh)
    await replica.certificate.look()
    assert replica.serves() == fresh.certificate


@pytest.mark.parametrize("spoilt", ["deleted", "another key", "expired", "empty"])
async def test_what_cannot_be_served_with_is_not_taken(replica: Replica, spoilt: str) -> None:
    await replica.leader_looks()
    await replica.certificate.look()
    before = replica.serves()
    bad = {"another key": replace(pair(), key=pair().key), "expired": pair(after(-100)), "empty": Serving(b"", b"", b"")}
    if spoilt == "deleted":
        replica.cluster.remove(SECRETS, SECRET)
    else:
        replica.cluster.put_secret(bad[spoilt])
    await replica.certificate.look()
    assert replica.serves() == before


async def test_a_wiped_bundle_makes_it_unready_until_it_is_put_right(replica: Replica) -> None:
    await replica.leader_looks()
    await replica.certificate.look()
    replica.cluster.objects[MUTATING.plural, CONFIGURATION]["webhooks"][0]["clientConfig"] = {}
    await replica.certificate.look()
    assert "caBundle" in replica.problem
    await replica.leader_looks()
    await replica.certificate.look()
    assert replica.problem == ""


def test_it_looks_often_until_it_is_ready_and_goes_on_whatever_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(loop: VirtualLoop) -> tuple[int, int, str]:
        replica = Replica()
        asked: list[float] = []
        get = replica.cluster.get

        async def counted(*place: object) -> object:
            if place[0] == MUTATING:
                asked.append(loop.time())
                if len(asked) == 2:
                    raise Unreachable("no answer")
            return await get(*place)  # type: ignore[arg-type]

        replica.cluster.get = counted  # type: ignore[assignment,method-assign]
        task = asyncio.create_task(replica.certificate.run())
        await asyncio.sleep(4.5)
        often = len(asked)
        await replica.leader_looks()
        await asyncio.sleep(1)
        begun = len(asked)
        await asyncio.sleep(3 * LOOK_EVERY)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return often, len(asked) - begun, replica.problem

    assert virtual(scenario) == (5, 3, "")
    assert "looking for the webhook's certificate: no answer" in caplog.text
