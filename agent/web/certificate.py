# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a server's certificate, and who issued it?

The kernel of the answer is OpenSSL's own verdict (`X509_V_ERR_*`, x509_vfy.h). Who issued a certificate that
was refused is asked for in a second handshake that trusts nobody and sends nothing.
"""

from __future__ import annotations

import asyncio
import ssl

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

EXPIRED = "expired"
NOT_YET_VALID = "not_yet_valid"
WRONG_NAME = "wrong_name"
SELF_SIGNED = "self_signed"
UNKNOWN_CA = "unknown_ca"
INTERCEPTED = "intercepted"
OLD_TLS = "old_tls"
NO_TLS = "no_tls"
OTHER = "other"

_ERRORS = {
    2: UNKNOWN_CA,
    9: NOT_YET_VALID,
    10: EXPIRED,
    18: SELF_SIGNED,
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    62: WRONG_NAME,
    64: WRONG_NAME,
}
_WITHOUT_CERTIFICATE = {
    "UNSUPPORTED_PROTOCOL": OLD_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": OLD_TLS,
    "WRONG_VERSION_NUMBER": NO_TLS,
}
"""Reasons of OpenSSL (sslerr.h) for which it never came to a certificate; the last is its word for no TLS."""
_NAMES = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
_MAX_ISSUER = 100


def problem_of(error: ssl.SSLError) -> str:
    """The word for what OpenSSL said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _ERRORS.get(error.verify_code, OTHER)
    # One that Python itself raises has no reason.
    return _WITHOUT_CERTIFICATE.get(getattr(error, "reason", None) or "", OTHER)


def issuer_of(der: bytes) -> str | None:
    """Organisation and name of who issued the certificate; None when it cannot be read."""
    try:
        issuer = x509.load_der_x509_certificate(der).issuer
        found = [str(a.value) for oid in _NAMES for a in issuer.get_attributes_for_oid(oid)]
    except (ValueError, KeyError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        # KeyError: a name of a string type that the library does not know.
        return None
    return ", ".join(found)[:_MAX_ISSUER] or None


def trusting_nobody() -> ssl.SSLContext:
    """To look at a certificate that was refused; never to send anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def presented(writer: asyncio.StreamWriter) -> bytes | None:
    """The server's certificate (DER)."""
    tls = writer.get_extra_info("ssl_object")
    return tls.getpeercert(binary_form=True) if tls is not None else None
