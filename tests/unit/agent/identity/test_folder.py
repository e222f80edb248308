# SPDX-License-Identifier: Apache-2.0
"""Does the device have one whole certificate, with its own key, at whatever instant the power goes?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.contract.decoder import DecodeError
from agent.contract.enrolment import Issued
from agent.identity import folder, keys
from agent.identity.folder import Enrolled
from collector.authority import certificates
from collector.authority.certificates import Life

WHO = Enrolled(device="kz-1", broker_host="centre", broker_port=8883)
ISSUER = certificates.make_authority("test", 1_790_000_000)
CHANGES = ("replace", "rename", "unlink", "mkdir", "symlink", "rmdir", "open")


class PowerCut(BaseException):
    """Nothing is done any more."""


def _issued(directory: Path, until_s: int) -> Issued:
    csr = keys.certificate_request("kz-1", directory / folder.MAKING_KEY)
    key = certificates.requested_key(csr, "kz-1")
    made = certificates.issue_client(ISSUER, "kz-1", key, Life(not_before_s=1, not_after_s=until_s))
    return Issued(certificate=certificates.pem(made), not_before_s=1, not_after_s=until_s)


def _new_key(directory: Path) -> None:
    folder.prepare(directory)
    keys.ensure_tls_key(directory / folder.MAKING_KEY)


def _enrol(directory: Path) -> None:
    _new_key(directory)
    folder.add(directory, _issued(directory, 100), "current")
    folder.finish(directory, WHO)


def _renew(directory: Path) -> None:
    if folder.certificate(directory, "candidate") is None:
        _new_key(directory)
        folder.add(directory, _issued(directory, 200), "candidate")
    folder.promote(directory)


def _fits(certificate: folder.Certificate) -> bool:
    key: Any = load_pem_private_key(certificate.key_file.read_bytes(), None)
    found = x509.load_pem_x509_certificate(certificate.cert_file.read_bytes())
    return bool(found.public_key() == key.public_key())


@pytest.fixture
def cut_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many changes to the disk happen, and no more."""
    left = [10**9]
    originals = {name: getattr(os, name) for name in CHANGES}

    def limited(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            is_change = name != "open" or (len(args) > 1 and args[1] & os.O_CREAT)
            if is_change:
                left[0] -= 1
                if left[0] < 0:
                    raise PowerCut
            return originals[name](*args, **kwargs)

        return call

    for name in CHANGES:
        monkeypatch.setattr(os, name, limited(name))

    def set_limit(count: int) -> None:
        left[0] = count

    return set_limit


def test_a_renewal_cut_at_any_change_leaves_a_whole_certificate_and_goes_on(
    tmp_path: Path, cut_at: Callable[[int], None]
) -> None:
    cuts = 0
    while True:
        directory = tmp_path / str(cuts)
        cut_at(10**9)
        _enrol(directory)
        cut_at(cuts)
        try:
            _renew(directory)
        except PowerCut:
            cuts += 1
        else:
            break
        cut_at(10**9)
        current = folder.certificate(directory)
        assert current is not None
        assert _fits(current)
        _renew(directory)
        after = folder.certificate(directory)
        assert after is not None
        assert _fits(after)
        assert after.not_after_s == 200
        assert len(list(directory.glob("tls-*"))) == 1
        shutil.rmtree(directory)
    print(f"{cuts} cuts in a renewal")
    assert cuts >= 12


def test_an_enrolment_cut_at_any_change_can_be_repeated_with_the_same_keys(
    tmp_path: Path, cut_at: Callable[[int], None]
) -> None:
    cuts = 0
    while True:
        directory = tmp_path / str(cuts)
        cut_at(10**9)
        _new_key(directory)
        before = (directory / folder.MAKING_KEY).read_bytes()
        cut_at(cuts)
        try:
            _enrol(directory)
        except PowerCut:
            cuts += 1
        else:
            break
        cut_at(10**9)
        if folder.enrolled(directory) is None:
            assert (directory / folder.MAKING_KEY).read_bytes() == before
            _enrol(directory)
        assert folder.enrolled(directory) == WHO
        current = folder.certificate(directory)
        assert current is not None
        assert current.key_file.read_bytes() == before
    print(f"{cuts} cuts in an enrolment")
    assert cuts >= 8


def test_what_is_not_enrolled_has_nothing(tmp_path: Path) -> None:
    assert folder.enrolled(tmp_path) is None
    assert folder.certificate(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"device": 1}', b"\xff"])
def test_a_damaged_enrolment_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "enrolled.json").write_bytes(content)
    with pytest.raises(DecodeError):
        folder.enrolled(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"not_before_s": 1}', b'{"not_before_s": "x"}'])
def test_a_certificate_whose_dates_are_damaged_is_none(tmp_path: Path, content: bytes) -> None:
    _enrol(tmp_path)
    (tmp_path / "current" / "valid.json").write_bytes(content)
    assert folder.certificate(tmp_path) is None


def test_private_files_are_their_owners_only(tmp_path: Path) -> None:
    _enrol(tmp_path)
    for file in tmp_path.rglob("*.pem"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "making").stat().st_mode & 0o777 == 0o700


def test_whoever_enrols_again_makes_new_keys(tmp_path: Path) -> None:
    _enrol(tmp_path)
    keys.ensure_signing_key(tmp_path / folder.SIGNING_KEY)
    folder.forget(tmp_path)
    assert folder.enrolled(tmp_path) is None
    assert not (tmp_path / folder.SIGNING_KEY).exists()
    assert not list(tmp_path.glob("tls-*"))
