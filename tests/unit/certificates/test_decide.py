"""When a certificate is replaced, and whom the API server is told to trust meanwhile."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography import x509

from stint.certificates.decide import outdated, renewal
from stint.certificates.pair import LIFETIME, RENEWED_BEFORE, Serving, due, make, problem, signer_of, trusted
from unit.certificates.kit import NAMES, NOW, after, pair

GOOD = pair()
OTHER = pair()


def of_an_unknown_curve(pem: bytes) -> bytes:
    """The same key or certificate, as if of an algorithm that nobody here has heard of."""
    first, *lines, last = pem.strip().split(b"\n")
    der = base64.b64decode(b"".join(lines)).replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030109"))
    return b"\n".join([first, base64.b64encode(der), last])


def test_a_fresh_certificate_is_good_and_trusted_by_who_trusts_its_authority() -> None:
    assert problem(GOOD, NAMES, NOW) == ""
    assert not due(GOOD, NOW)
    assert trusted(GOOD, GOOD.authorities)
    assert not trusted(GOOD, OTHER.authorities)
    assert not trusted(GOOD, b"")
    assert renewal(GOOD, NAMES, NOW) is None


def test_a_certificate_is_for_a_server_and_signs_nothing() -> None:
    (certificate,) = x509.load_pem_x509_certificates(GOOD.certificate)
    (authority,) = x509.load_pem_x509_certificates(GOOD.authorities)
    basic = [each.extensions.get_extension_for_class(x509.BasicConstraints).value for each in (certificate, authority)]
    assert [(each.ca, each.path_length) for each in basic] == [(False, None), (True, 0)]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]


def test_no_key_is_printed() -> None:
    assert "PRIVATE" not in repr(GOOD)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "there is none"),
        (Serving(b"", b"", b""), "cannot be read"),
        (Serving(b"x", b"nonsense", b"y"), "cannot be read"),
        (replace(GOOD, key=OTHER.key), "do not belong together"),
        (replace(GOOD, key=GOOD.certificate), "cannot be read"),
        (replace(GOOD, key=of_an_unknown_curve(GOOD.key)), "cannot be read"),
        (replace(GOOD, certificate=of_an_unknown_curve(GOOD.certificate)), "cannot be read"),
        (replace(GOOD, authorities=of_an_unknown_curve(GOOD.authorities)), "signed by somebody else"),
        (replace(GOOD, certificate=OTHER.certificate, key=OTHER.key), "signed by somebody else"),
        (replace(GOOD, authorities=b""), "signed by somebody else"),
        (pair(names=("stint-admission.elsewhere.svc",)), "it is not for stint-admission.stint-system.svc"),
        (pair(after(-91)), "expired"),
        (pair(after(1)), "not valid yet"),
    ],
    ids=[
        "none",
        "empty",
        "nonsense",
        "another key",
        "a certificate as key",
        "an odd key",
        "an odd certificate",
        "an odd authority",
        "foreign",
        "authority wiped",
        "another name",
        "expired",
        "clock was ahead",
    ],
)
def test_whatever_is_not_good_is_replaced_and_nothing_of_it_stays_trusted(found: Serving | None, why: str) -> None:
    needed = renewal(found, NAMES, NOW)
    assert needed is not None
    assert why in needed.why
    assert needed.former == b""


def test_one_that_expires_soon_is_replaced_while_its_authority_stays_trusted() -> None:
    late = NOW + LIFETIME - RENEWED_BEFORE
    assert renewal(GOOD, NAMES, late) is None
    needed = renewal(GOOD, NAMES, after(61))
    assert needed is not None
    fresh = make(NAMES, after(61), needed.former)
    assert trusted(GOOD, fresh.authorities)
    assert trusted(fresh, fresh.authorities)
    assert renewal(fresh, NAMES, after(61)) is None


def test_no_more_than_one_former_authority_stays_trusted() -> None:
    first = GOOD
    second = make(NAMES, after(61), signer_of(first))
    third = make(NAMES, after(122), signer_of(second))
    assert len(x509.load_pem_x509_certificates(third.authorities)) == 2
    assert not trusted(first, third.authorities)


def test_every_webhook_has_to_hold_the_authorities_and_nothing_else() -> None:
    wanted = GOOD.authorities
    assert not outdated([wanted, wanted], wanted)
    assert outdated([wanted, b""], wanted)
    assert outdated([wanted + OTHER.authorities], wanted)
    assert not outdated([], wanted)
