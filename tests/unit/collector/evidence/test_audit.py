# SPDX-License-Identifier: Apache-2.0
"""Does `verify` find whatever was changed in a closed month, and say where?"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.__main__ import main
from collector.checkpoint import public_key
from collector.evidence import manifest
from collector.evidence.audit import Audit, audit, check_evidence
from collector.evidence.close import files_of
from tests.unit.collector.evidence.world import COLLECTOR_KEY, november

FLIPS = int(os.environ.get("SCHOOLPULSE_TEST_FLIPS", "150"))
"""Bits flipped."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second revision, which has everything that a bundle can have."""
    world = november(tmp_path_factory.mktemp("november"))
    world.close()
    world.tell("kz-3", 1, delay_ms=86_400_000)
    return world.close().folder


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    copy = tmp_path / "bundle"
    shutil.copytree(whole, copy)
    return copy


def resign(bundle: Path, key: Ed25519PrivateKey = COLLECTOR_KEY) -> None:
    """Make files, manifest and signature fit each other again, as whoever has the key could."""
    path = bundle / manifest.FILE
    plain = json.loads(path.read_bytes())
    plain["files"] = [
        {"path": line.path, "bytes": line.bytes, "sha256": line.sha256}
        for line in manifest.lines_of(bundle, files_of(bundle))
    ]
    plain["key"] = public_key(key)
    path.write_bytes(manifest.canonical(plain))
    (bundle / manifest.SIGNATURE).write_bytes(manifest.sign(path.read_bytes(), key))


def said(found: Audit) -> str:
    return "\n".join(map(str, found.faults))


def test_a_whole_bundle_verifies_and_says_how_much_was_checked(whole: Path) -> None:
    found = audit(whole, key=public_key(COLLECTOR_KEY))

    assert found.faults == []
    assert found.name == "2026-11/rev2"
    assert found.files == len(files_of(whole)) >= 44
    assert (found.schools, found.checkpoints, found.signed, found.unproven) == (4, 1, 96, 0)
    assert found.entries == 96
    assert found.numbers >= 500
    assert found.pages == 31


def flipped(path: Path, dice: random.Random) -> bytes:
    """Flip one bit of a file; its content before."""
    content = path.read_bytes()
    place, bit = dice.randrange(len(content)), 1 << dice.randrange(8)
    path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
    return content


def names_it(found: Audit, path: Path) -> bool:
    """A flipped manifest may be shown by its signature alone."""
    return any(word in said(found) for word in (path.name, path.stem))


def test_any_flipped_bit_of_any_file_is_found_and_its_file_named(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [manifest.FILE, manifest.SIGNATURE, *files_of(bundle)]
    dice = random.Random(11)

    for n in range(FLIPS):
        path = bundle / names[n % len(names)]
        content = flipped(path, dice)
        found, _ = check_evidence(bundle)
        assert names_it(found, path), (path.name, said(found))
        path.write_bytes(content)
    with capsys.disabled():
        print(f"\naudit: {FLIPS} bits in {len(names)} files, each found")

    assert audit(bundle).faults == []


@pytest.mark.parametrize(
    "name", ["figures.json", "report.ru.html", "configuration/registry.toml", "journal/000002.journal"]
)
def test_a_whole_verification_survives_whatever_was_flipped_and_names_it(bundle: Path, name: str) -> None:
    dice = random.Random(name)
    for _ in range(2):
        content = flipped(bundle / name, dice)
        assert names_it(audit(bundle), bundle / name)
        (bundle / name).write_bytes(content)


def test_a_changed_record_is_named_with_its_device_and_numbers(bundle: Path) -> None:
    segment = sorted((bundle / "journal").glob("0*.journal"))[1]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(bytes(content))

    faults = said(audit(bundle))
    assert f"journal/{segment.name}: is not the file that was signed" in faults
    assert "entry" in faults
    assert "kz-" in faults


@pytest.mark.parametrize("spoil", ["missing", "added", "link", "empty"])
def test_a_file_that_is_missing_or_too_many_is_named(bundle: Path, spoil: str) -> None:
    path = bundle / "csv" / "schools.csv"
    if spoil == "added":
        path = bundle / "csv" / "more.csv"
        path.write_text("x")
    elif spoil == "link":
        copy = bundle.parent / "copy"
        path.rename(copy)
        path.symlink_to(copy)
    elif spoil == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()

    assert f"csv/{path.name}: is" in said(audit(bundle))


def test_a_number_changed_by_whoever_has_the_key_is_named_with_what_the_evidence_says(bundle: Path) -> None:
    path = bundle / "figures.json"
    figures = json.loads(path.read_bytes())
    school = next(s for s in figures["schools"] if s["school"] == "kz-2")
    school["figures"]["counted"]["service"]["counts"]["down_provider"] = 0
    path.write_bytes(manifest.canonical(figures))
    resign(bundle)

    number = "figures.json: schools[kz-2].figures.counted.service.counts.down_provider"
    assert f"{number}: says 0, the evidence says 20" in said(audit(bundle))


def test_a_page_changed_by_whoever_has_the_key_is_named_with_its_line(bundle: Path) -> None:
    path = bundle / "report.kk.html"
    path.write_text(path.read_text().replace("Бұзылды", "Орындалды"))
    resign(bundle)

    assert "report.kk.html:" in said(audit(bundle))
    assert "says otherwise" in said(audit(bundle))


def test_a_contract_changed_by_whoever_has_the_key_is_found(bundle: Path) -> None:
    path = bundle / "configuration" / "contracts-001.toml"
    path.write_text(path.read_text().replace("availability_ratio = 0.99", "availability_ratio = 0.5"))
    resign(bundle)

    faults = said(audit(bundle))
    assert "manifest.json: configuration_sha256" in faults
    assert "counted.service.target: says '99/100', the evidence says '1/2'" in faults


def test_entries_cut_off_by_whoever_has_the_key_are_missed(bundle: Path) -> None:
    newest = max((bundle / "journal").glob("0*.journal"))
    newest.unlink()
    resign(bundle)

    faults = said(audit(bundle))
    assert "manifest.json: journal: the journal is" in faults
    assert "data_sha256" in faults


def test_a_lie_told_with_another_devices_key_is_found(bundle: Path) -> None:
    path = bundle / "journal" / "keys.json"
    keys = json.loads(path.read_bytes())
    keys["kz-2-pi"] = keys["kz-1-pi"]
    path.write_bytes(manifest.canonical(keys))
    resign(bundle)

    assert "its signature is of no key that this device ever had" in said(audit(bundle))


def test_a_bundle_signed_with_another_key_is_found_by_whoever_knows_the_right_one(bundle: Path) -> None:
    resign(bundle, Ed25519PrivateKey.generate())

    assert "key" not in said(check_evidence(bundle)[0])
    assert "is signed with another key" in said(audit(bundle, key=public_key(COLLECTOR_KEY)))


def test_an_earlier_revision_that_was_put_in_its_place_is_found(bundle: Path) -> None:
    path = bundle / "previous" / "figures.json"
    path.write_text(path.read_text().replace('"down_provider": 20', '"down_provider": 21'))
    resign(bundle)

    assert "previous/figures.json: is not the file that was signed" in said(audit(bundle))


def test_a_bundle_in_the_folder_of_another_revision_is_found(whole: Path, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("2026-11/rev1", "2026-10/rev2", "2026-11/rev2", "sent/rev1")]
    for place in places:
        shutil.copytree(whole, place)

    assert [said(check_evidence(place)[0]) for place in places] == [
        "manifest.json: is that of 2026-11/rev2, the folder is called 2026-11/rev1",
        "manifest.json: is that of 2026-11/rev2, the folder is called 2026-10/rev2",
        "",
        "",
    ]


def test_a_signature_that_is_missing_is_said_to_be_missing(bundle: Path) -> None:
    (bundle / manifest.SIGNATURE).unlink()

    assert said(check_evidence(bundle)[0]) == "manifest.sig: is missing"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[" * 100_000, b'{"format": 1}', b"\xff"])
def test_a_manifest_that_is_none_is_said_to_be_none(bundle: Path, content: bytes) -> None:
    (bundle / manifest.FILE).write_bytes(content)

    assert "manifest.json: is not a manifest" in said(audit(bundle))


def test_verify_needs_nothing_but_the_bundle(whole: Path, tmp_path: Path) -> None:
    """In a folder of its own, with an empty home, no configuration and no address to ask."""
    done = subprocess.run(
        [sys.executable, "-m", "collector", "verify", str(whole), "--json"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(Path.cwd()),
            "TZ": "Pacific/Auckland",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verified"] is True


def test_verify_of_a_spoiled_bundle_fails_and_names_it(bundle: Path, tmp_path: Path) -> None:
    for name in ("lost.csv", "days.csv"):
        (bundle / "csv" / name).write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "collector", "verify", str(bundle)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "faults      csv/days.csv: is not the file that was signed" in lines
    assert "            csv/lost.csv: is not the file that was signed" in lines
    assert "None" not in done.stdout


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_verify_of_what_is_no_bundle_says_what_one_is(
    bundle: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(bundle.parent / place)]) == 1
    assert "holds no closed month: name the folder with its manifest.json" in capsys.readouterr().err


def test_another_version_of_the_program_compares_numbers_but_no_pages(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.evidence.audit.code_version", lambda: "9.9+0")
    found = audit(bundle)
    assert (found.faults, found.pages) == ([], None)
    assert found.numbers >= 500

    path = bundle / "figures.json"
    path.write_text(path.read_text().replace('"down_provider": 20', '"down_provider": 21'))
    assert "counted, this is 9.9+0" in said(audit(bundle))
