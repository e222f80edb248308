# SPDX-License-Identifier: Apache-2.0
"""To whom does the authority say yes, to whom no, and what does it never forget?"""

from __future__ import annotations

import base64
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.enrolment import EnrolmentFile, EnrolmentRequest, Issued, encode, read_message
from agent.identity import enrolment, folder, keys, renewal
from agent.identity.signing import SigningKey
from collector.authority import certificates
from collector.authority.authority import Authority, create
from collector.authority.certificates import CRL_DAYS
from collector.authority.errors import AuthorityProblem, Refused
from collector.authority.options import AuthorityOptions

NOW_S = 1_790_000_000.0
DAY_S = 86400


class Clock:
    """The authority's time."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(tmp_path: Path, clock: Clock) -> Iterator[Authority]:
    create(tmp_path / "authority", ["127.0.0.1", "centre.example"], name="test", now_s=NOW_S)
    made = Authority(tmp_path / "authority", AuthorityOptions(), clock)
    yield made
    made.close()


def _file(authority: Authority, device: str = "kz-1") -> EnrolmentFile:
    return EnrolmentFile(
        device=device,
        token=authority.invite(device)[0],
        enrol_url="https://x/enrol",
        broker_host="x",
        broker_port=1,
        expires_at="x",
        ca=authority.ca,
    )


def _enrol(authority: Authority, place: Path, device: str = "kz-1") -> Issued:
    given_file = _file(authority, device)
    issued = authority.enrol(enrolment.request(given_file, place))
    enrolment.accept(given_file, place, encode(issued))
    return issued


def _refusal(authority: Authority, request: bytes) -> str:
    with pytest.raises(Refused) as refused:
        authority.enrol(request)
    return str(refused.value)


def test_a_token_makes_a_device_known(authority: Authority, tmp_path: Path) -> None:
    issued = _enrol(authority, tmp_path / "device")
    assert issued.certificate is not None
    assert issued.not_after_s == NOW_S + 365 * DAY_S
    found = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert found.subject.rfc4514_string() == "CN=kz-1"
    assert authority.signers().must_sign("kz-1")
    assert [(line.device, line.state) for line in authority.lines()] == [("kz-1", "enrolled")]


def test_a_request_that_is_repeated_gets_the_same_answer(authority: Authority, tmp_path: Path) -> None:
    request = enrolment.request(_file(authority), tmp_path / "device")
    assert authority.enrol(request) == authority.enrol(request)


def test_a_token_does_not_work_for_other_keys(authority: Authority, tmp_path: Path) -> None:
    given_file = _file(authority)
    authority.enrol(enrolment.request(given_file, tmp_path / "one"))
    assert "used already" in _refusal(authority, enrolment.request(given_file, tmp_path / "two"))


def test_a_token_works_once_when_two_ask_at_the_same_time(authority: Authority, tmp_path: Path) -> None:
    given_file = _file(authority)
    requests = [enrolment.request(given_file, tmp_path / str(i)) for i in range(8)]
    outcomes: list[object] = []

    def ask(request: bytes) -> None:
        other = Authority(authority.directory, AuthorityOptions(), lambda: NOW_S)
        try:
            outcomes.append(other.enrol(request))
        except Refused as e:
            outcomes.append(str(e))
        other.close()

    threads = [threading.Thread(target=ask, args=(r,)) for r in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(o, Issued) for o in outcomes) == 1
    assert len(outcomes) == 8


def test_a_token_does_not_work_for_another_device(authority: Authority, tmp_path: Path) -> None:
    given_file = dataclasses.replace(_file(authority), device="kz-2")
    assert "not one of this device" in _refusal(authority, enrolment.request(given_file, tmp_path))


def test_a_token_expires(authority: Authority, tmp_path: Path, clock: Clock) -> None:
    given_file = _file(authority)
    clock.now_s += 15 * DAY_S
    assert "expired" in _refusal(authority, enrolment.request(given_file, tmp_path))


def test_a_new_invitation_withdraws_the_one_before(authority: Authority, tmp_path: Path) -> None:
    given_file = _file(authority)
    _file(authority)
    assert "withdrawn" in _refusal(authority, enrolment.request(given_file, tmp_path))


def test_a_token_is_nowhere_on_the_disk(authority: Authority) -> None:
    token = authority.invite("kz-1")[0].encode()
    assert all(token not in file.read_bytes() for file in authority.directory.iterdir())


@pytest.mark.parametrize("device", ["collector", "broker", "KZ", "", "a/b", "#", "+", "kz-", "x" * 49])
def test_a_name_that_is_no_devices_is_not_invited(authority: Authority, device: str) -> None:
    with pytest.raises(Refused):
        authority.invite(device)


def _changed(request: bytes, **changes: Any) -> bytes:
    return encode(dataclasses.replace(read_message(EnrolmentRequest, request), **changes))


def test_a_request_changed_on_its_way_is_refused(authority: Authority, tmp_path: Path) -> None:
    good = enrolment.request(_file(authority), tmp_path / "one")
    other = read_message(EnrolmentRequest, enrolment.request(_file(authority, "kz-2"), tmp_path / "two"))
    for changes in ({"csr": other.csr}, {"signing_key": other.signing_key}, {"device": "kz-2"}):
        assert "not signed" in _refusal(authority, _changed(good, **changes))


def test_a_certificate_request_in_another_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    keys.ensure_tls_key(tmp_path / "key.pem")
    for name in ("collector", "kz-2"):
        csr = keys.certificate_request(name, tmp_path / "key.pem")
        with pytest.raises(Refused, match="in the name"):
            certificates.requested_key(csr, "kz-1")


@given(st.binary(max_size=300))
def test_any_bytes_are_no_certificate_request(content: bytes) -> None:
    text = content.decode("latin-1")
    for csr in (text, f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"):
        with pytest.raises(Refused):
            certificates.requested_key(csr, "kz-1")


def test_a_request_with_one_bit_changed_never_certifies_another_key(tmp_path: Path) -> None:
    """Refused, but for the count of unused bits behind the signature, which changes nothing."""
    keys.ensure_tls_key(tmp_path / "key.pem")
    good = keys.certificate_request("kz-1", tmp_path / "key.pem")
    key, lines = certificates.requested_key(good, "kz-1"), good.splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    refused = 0
    for place in range(len(der)):
        der[place] ^= 1
        body = base64.b64encode(der).decode()
        try:
            assert certificates.requested_key(f"{lines[0]}\n{body}\n{lines[-1]}\n", "kz-1") == key
        except Refused:
            refused += 1
        der[place] ^= 1
    print(f"{len(der)} certificate requests with one bit changed, {refused} refused")
    assert refused >= len(der) - 1


def test_a_certificate_is_renewed_with_a_new_key(authority: Authority, tmp_path: Path, clock: Clock) -> None:
    first = _enrol(authority, tmp_path)
    clock.now_s += 250 * DAY_S
    request = renewal.request(tmp_path)
    second = authority.renew("kz-1", request)
    assert second.not_after_s == first.not_after_s + 250 * DAY_S
    assert authority.renew("kz-1", request) == second
    assert authority.signers().revoked == frozenset()


def test_a_renewal_in_another_devices_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    _enrol(authority, tmp_path / "one")
    _enrol(authority, tmp_path / "two", "kz-2")
    request = renewal.request(tmp_path / "one")
    with pytest.raises(Refused, match="not signed with the device's key"):
        authority.renew("kz-2", request)
    with pytest.raises(Refused, match="not enrolled"):
        authority.renew("kz-3", request)


def test_certificates_cannot_be_had_by_the_thousand(authority: Authority, tmp_path: Path) -> None:
    _enrol(authority, tmp_path)
    with pytest.raises(Refused, match="too new"):
        authority.renew("kz-1", renewal.request(tmp_path))


def test_revocation_takes_everything(authority: Authority, tmp_path: Path, clock: Clock) -> None:
    _enrol(authority, tmp_path)
    clock.now_s += 250 * DAY_S
    authority.renew("kz-1", renewal.request(tmp_path))
    key = SigningKey.read(tmp_path / folder.SIGNING_KEY)
    assert authority.revoke("kz-1") == 2
    assert authority.signers().revoked == {"kz-1"}
    assert key.public not in authority.signers().keys.values()
    with pytest.raises(Refused):
        authority.renew("kz-1", renewal.request(tmp_path))
    crl = x509.load_pem_x509_crl((authority.directory / "crl.pem").read_bytes())
    assert len(list(crl)) == 2
    assert authority.crl_until_s() == int(clock.now_s) + CRL_DAYS * DAY_S


def test_a_revoked_device_comes_back_with_new_keys_only(authority: Authority, tmp_path: Path) -> None:
    _enrol(authority, tmp_path)
    authority.revoke("kz-1")
    given_file = _file(authority)
    assert "new keys are needed" in _refusal(authority, enrolment.request(given_file, tmp_path))
    folder.forget(tmp_path)
    authority.enrol(enrolment.request(given_file, tmp_path))
    assert authority.signers().revoked == frozenset()


def test_a_replaced_card_revokes_the_one_before(authority: Authority, tmp_path: Path) -> None:
    _enrol(authority, tmp_path / "old")
    _enrol(authority, tmp_path / "new")
    crl = x509.load_pem_x509_crl((authority.directory / "crl.pem").read_bytes())
    assert len(list(crl)) == 1
    assert authority.signers().keys["kz-1"] == SigningKey.read(tmp_path / "new/signing.key").public


def test_a_revocation_by_another_process_is_seen_at_once(authority: Authority, tmp_path: Path) -> None:
    _enrol(authority, tmp_path)
    assert authority.signers().revoked == frozenset()
    other = Authority(authority.directory, AuthorityOptions(), lambda: NOW_S)
    other.revoke("kz-1")
    other.close()
    assert authority.signers().revoked == {"kz-1"}


def test_an_authority_is_never_written_over(authority: Authority) -> None:
    with pytest.raises(AuthorityProblem, match="not written over"):
        create(authority.directory, ["x"], name="other", now_s=NOW_S)


def test_a_folder_without_an_authority_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AuthorityProblem, match="enrol init"):
        Authority(tmp_path, AuthorityOptions())


def test_private_keys_are_their_owners_only(authority: Authority) -> None:
    found = sorted(authority.directory.glob("*.key"))
    assert len(found) == 5
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in found)
    assert authority.directory.stat().st_mode & 0o777 == 0o700
