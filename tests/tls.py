"""Certificates for tests: an authority of one's own, and what it signs."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = dt.datetime.now(dt.UTC)


def authority(folder):
    """Write an authority's certificate as ``ca.pem``; return what it signs with."""
    return _write(folder, "ca", None, [], dt.timedelta(days=1))


def certificate(folder, signer, name, hosts, valid=dt.timedelta(days=1)):
    """Write a certificate for some hosts, with its key, as a file of that name; return it."""
    _write(folder, name, signer, hosts, valid)
    return folder / f"{name}.pem"


def _write(folder, name, signer, hosts, valid):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = (subject, key) if signer is None else signer
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=2))
        .not_valid_after(NOW + valid)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    )
    if hosts:
        names = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = made.sign(signing, hashes.SHA256())
    text = signed.public_bytes(serialization.Encoding.PEM)
    if signer is not None:
        text += key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pem").write_bytes(text)
    return subject, key
