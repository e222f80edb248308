# SPDX-License-Identifier: Apache-2.0
"""How does a device that nobody knows become one that everybody knows?

The technician brings one file. Keys are made and on the disk before anything is sent, and a request that is
repeated with the same keys gets the same answer: a power cut at any point is mended by trying again.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.enrolment import (
    MAX_ANSWER_BYTES,
    MAX_FILE_BYTES,
    EnrolmentFile,
    EnrolmentRequest,
    Issued,
    encode,
    enrolment_bytes,
    read_file,
    read_message,
)
from agent.errors import AgentError
from agent.identity import folder, keys
from agent.identity.signing import SigningKey

_TIMEOUT_S = 30.0
_NO_TIME_CHECK = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: a device without a clock must be able to enrol; it trusts our authority only."""


class EnrolmentFailed(AgentError):
    """Nothing was issued; `permanent` when trying again with the same file cannot help."""

    def __init__(self, problem: str, *, permanent: bool) -> None:
        super().__init__(problem)
        self.permanent = permanent


def load(file: Path) -> EnrolmentFile:
    """Read an enrolment file.

    Raises:
        EnrolmentFailed: it is none.
    """
    try:
        with file.open("rb") as content:
            given = read_file(content.read(MAX_FILE_BYTES + 1))
    except OSError as e:
        raise EnrolmentFailed(f"{file} cannot be read: {e.strerror}", permanent=True) from e
    except DecodeError as e:
        raise EnrolmentFailed(f"{file}: {e}", permanent=True) from e
    if problem := host_problem(given.broker_host):
        raise EnrolmentFailed(f"{file}: broker_host: {problem}", permanent=True)
    try:
        _trusting(given.ca)
    except (ssl.SSLError, ValueError) as e:
        problem = "ca: holds no certificate in PEM form; was the file damaged on its way?"
        raise EnrolmentFailed(f"{file}: {problem}", permanent=True) from e
    return given


def enrol(given: EnrolmentFile, directory: Path) -> None:
    """Become known.

    Raises:
        EnrolmentFailed: the authority refused, or is out of reach.
    """
    accept(given, directory, _post(given, request(given, directory)))


def request(given: EnrolmentFile, directory: Path) -> bytes:
    """The request, with keys that are made here and now unless an earlier attempt has.

    Raises:
        EnrolmentFailed: those of an earlier attempt are damaged.
    """
    folder.prepare(directory)
    signing_file, tls_file = directory / folder.SIGNING_KEY, directory / folder.MAKING_KEY
    keys.ensure_signing_key(signing_file)
    keys.ensure_tls_key(tls_file)
    try:
        signing_key = SigningKey.read(signing_file)
        csr = keys.certificate_request(given.device, tls_file)
    except (ValueError, TypeError) as e:
        problem = f"a key in {directory} is damaged: {e}; `school-agent enrol FILE --again` makes new ones"
        raise EnrolmentFailed(problem, permanent=True) from e
    signature = signing_key.sign(enrolment_bytes(given.device, given.token, csr))
    return encode(
        EnrolmentRequest(
            device=given.device,
            token=given.token,
            csr=csr,
            signing_key=signing_key.public.hex(),
            signature=signature.hex(),
        )
    )


def accept(given: EnrolmentFile, directory: Path, answer: bytes) -> None:
    """Keep what was issued.

    Raises:
        EnrolmentFailed: the answer is a refusal, or not for this device's key.
    """
    try:
        issued = read_message(Issued, answer, MAX_ANSWER_BYTES)
    except DecodeError as e:
        raise EnrolmentFailed(f"the answer makes no sense: {e}", permanent=False) from e
    if issued.certificate is None:
        raise EnrolmentFailed(f"refused: {issued.refused}", permanent=True)
    try:
        is_ours = keys.belongs(issued.certificate, directory / folder.MAKING_KEY)
    except ValueError as e:
        raise EnrolmentFailed(f"the answer holds no certificate: {e}", permanent=False) from e
    if not is_ours:
        raise EnrolmentFailed("the certificate is for another key", permanent=False)
    folder.write(directory / folder.CA, given.ca.encode())
    folder.add(directory, issued, "current")
    who = folder.Enrolled(device=given.device, broker_host=given.broker_host, broker_port=given.broker_port)
    folder.finish(directory, who)


def _trusting(ca: str) -> ssl.SSLContext:
    """TLS that trusts this authority alone; `ssl.SSLError` or `ValueError` where it is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca.encode("ascii").decode())
    context.verify_flags |= _NO_TIME_CHECK
    return context


def _post(given: EnrolmentFile, body: bytes) -> bytes:
    context = _trusting(given.ca)
    asked = urllib.request.Request(  # noqa: S310 -- https, checked when the file was read
        given.enrol_url, body, {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({})
    )
    try:
        with opener.open(asked, timeout=_TIMEOUT_S) as answer:
            return bytes(answer.read(MAX_ANSWER_BYTES + 1))
    except urllib.error.HTTPError as e:
        with e:
            return bytes(e.read(MAX_ANSWER_BYTES + 1))
    except (OSError, http.client.HTTPException, ValueError) as e:  # ValueError: a name that can be no host's
        raise EnrolmentFailed(f"{given.enrol_url} is out of reach: {e}", permanent=False) from e
