"""A serving certificate and the authority that has signed it, as PEM. Making one takes random numbers; judging one is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
"""A certificate is replaced so long before it expires: many chances, should the API server be away."""
CLOCKS_DIFFER = timedelta(hours=1)
"""It is valid from so long before it was made."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the webhook is served with; PEM, each. Not to be printed: it holds the key."""

    authorities: bytes
    """Whom the API server is to trust: the authority that has signed the certificate, and its predecessor."""
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Serving(…)"


def make(names: Sequence[str], now: datetime, former: bytes = b"") -> Serving:
    """A certificate for these DNS names, by an authority of its own. `former`: the authority of the certificate that is still served."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    serial = x509.random_serial_number()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"stint-admission-ca-{serial:x}"[:64])])
    signer = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(issuer, issuer, authority_key.public_key(), serial, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(signer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        _builder(subject, issuer, key.public_key(), x509.random_serial_number(), now)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Serving(authority.public_bytes(pem) + former, certificate.public_bytes(pem), private)


def problem(serving: Serving, names: Sequence[str], now: datetime) -> str:
    """Why it cannot be served with now; empty when it can. Whether the API server trusts it is another question: `trusted`."""
    try:
        chain = x509.load_pem_x509_certificates(serving.certificate)
        key: PrivateKeyTypes = serialization.load_pem_private_key(serving.key, None)
        own = chain[0].public_key()
        served = set(chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName))
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return "it cannot be read"
    if key.public_key() != own:
        return "certificate and key do not belong together"
    if not served.issuperset(names):
        return f"it is not for {names[0]}"
    if not chain[0].not_valid_before_utc <= now < chain[0].not_valid_after_utc:
        return "it has expired, or is not valid yet"
    return ""


def due(serving: Serving, now: datetime) -> bool:
    """Whether it is time to replace a certificate that can be served with."""
    return x509.load_pem_x509_certificates(serving.certificate)[0].not_valid_after_utc - now < RENEWED_BEFORE


def signer_of(serving: Serving) -> bytes:
    """The authority of a certificate, among those that are to be trusted; empty if it is not among them."""
    (certificate, *_) = x509.load_pem_x509_certificates(serving.certificate)
    for authority in _read(serving.authorities):
        if _issued(certificate, authority):
            return authority.public_bytes(serialization.Encoding.PEM)
    return b""


def trusted(serving: Serving, bundle: bytes) -> bool:
    """Whether whoever trusts these authorities trusts the certificate; intermediate ones come along with the certificate."""
    chain = _read(serving.certificate)
    return any(each == authority or _issued(each, authority) for authority in _read(bundle) for each in chain)


def _read(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + LIFETIME)
    )


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
