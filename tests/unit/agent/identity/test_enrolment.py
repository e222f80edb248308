# SPDX-License-Identifier: Apache-2.0
"""Is an enrolment file taken, or refused with a sentence, whatever happened to it on its way?"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.contract.enrolment import EnrolmentFile, Issued, encode, write_file
from agent.identity import enrolment, folder, keys, renewal
from agent.identity.enrolment import EnrolmentFailed
from agent.identity.folder import Enrolled
from collector.authority import certificates

ISSUER = certificates.make_authority("test", 1_790_000_000)
GIVEN = EnrolmentFile(
    device="kz-1",
    token="t" * 43,
    enrol_url="https://centre.test:8884/enrol",
    broker_host="centre.test",
    broker_port=8883,
    expires_at="2026-12-01T00:00:00+00:00",
    ca=certificates.pem(ISSUER.certificate),
)


def test_a_file_damaged_at_any_byte_is_taken_or_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, dice = write_file(GIVEN).encode(), random.Random(3)
    file, refused, taken = tmp_path / "enrolment.toml", 0, 0
    for at in range(len(whole)):
        cut = whole[:at]
        changed = whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]
        without, more = cut + whole[at + 1 :], cut + dice.randbytes(2) + whole[at:]
        for content in (cut, changed, without, more):
            file.write_bytes(content)
            try:
                enrolment.load(file)
                taken += 1
            except EnrolmentFailed as e:
                refused += e.permanent and str(file) in str(e)
    with capsys.disabled():
        print(f"\nenrolment files: {refused} damaged ones refused, {taken} taken")
    assert refused + taken == 4 * len(whole)
    assert refused > len(whole)


def test_a_file_without_a_real_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "enrolment.toml"
    for ca in ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "-----BEGIN é"):
        file.write_text(write_file(EnrolmentFile(**{**vars(GIVEN), "ca": ca})))
        with pytest.raises(EnrolmentFailed, match="ca: holds no certificate"):
            enrolment.load(file)


@pytest.mark.parametrize("name", [folder.SIGNING_KEY, folder.MAKING_KEY])
@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----", bytes(300)])
def test_a_damaged_key_of_an_earlier_attempt_is_told_with_what_to_do(
    tmp_path: Path, name: str, damage: bytes
) -> None:
    enrolment.request(GIVEN, tmp_path)
    (tmp_path / name).write_bytes(damage)
    with pytest.raises(EnrolmentFailed, match=r"is damaged: .*--again"):
        enrolment.request(GIVEN, tmp_path)


def test_an_answer_without_a_real_certificate_is_refused(tmp_path: Path) -> None:
    enrolment.request(GIVEN, tmp_path)
    answer = encode(Issued(certificate="-----BEGIN nothing", not_before_s=1, not_after_s=2))
    with pytest.raises(EnrolmentFailed, match="holds no certificate"):
        enrolment.accept(GIVEN, tmp_path, answer)
    assert folder.enrolled(tmp_path) is None


def test_a_damaged_key_for_the_next_certificate_is_made_anew(tmp_path: Path) -> None:
    enrolment.request(GIVEN, tmp_path)
    folder.finish(tmp_path, Enrolled(device="kz-1", broker_host="centre.test", broker_port=8883))
    renewal.request(tmp_path)
    (tmp_path / folder.MAKING_KEY).write_bytes(b"-----BEGIN PRIVATE KEY-----")
    renewal.request(tmp_path)
    assert "CERTIFICATE REQUEST" in keys.certificate_request("kz-1", tmp_path / folder.MAKING_KEY)
