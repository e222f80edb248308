# SPDX-License-Identifier: Apache-2.0
"""Is a manifest read as it was written, and does its signature hold for these bytes alone?"""

from __future__ import annotations

import dataclasses
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.checkpoint import public_key
from collector.evidence import manifest
from collector.evidence.manifest import Extent, Manifest, line_of, parse, sign, signature_problem, written

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EXTENT = Extent(first_segment=2, entries_before=5, entries=9, end="000003:77", root="00" * 32)
MANIFEST = Manifest(
    month="2026-11",
    revision=1,
    data_sha256="aa",
    configuration_sha256="bb",
    code="0.1.0+1",
    journal=EXTENT,
    key=public_key(KEY),
    files=(line_of("csv/a.csv", b"a"), line_of("figures.json", b"{}\n")),
)


def test_a_manifest_reads_back_and_is_written_the_same_again() -> None:
    content = written(MANIFEST)

    assert parse(content) == MANIFEST
    assert written(parse(content)) == content
    assert MANIFEST.name == "2026-11/rev1"


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a\\b", "a//b", "./a", ""])
def test_a_path_that_leads_out_of_the_bundle_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path below the bundle"):
        dataclasses.replace(MANIFEST.files[0], path=path)


def test_a_manifest_of_a_later_format_is_refused_with_both_numbers() -> None:
    content = written(dataclasses.replace(MANIFEST, format=2))

    with pytest.raises(ValueError, match="is 2; this program reads 1"):
        parse(content)


def test_a_signature_holds_for_no_other_bytes_and_no_other_key() -> None:
    content = written(MANIFEST)
    signature = sign(content, KEY)
    dice = random.Random(5)

    assert signature_problem(content, signature, public_key(KEY)) is None
    for _ in range(300):
        for whole in (content, signature):
            place, bit = dice.randrange(len(whole)), 1 << dice.randrange(8)
            flipped = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            pair = (flipped, signature) if whole is content else (content, flipped)
            assert signature_problem(*pair, public_key(KEY)) is not None
    assert signature_problem(content, signature, public_key(Ed25519PrivateKey.generate())) is not None


@pytest.mark.parametrize("key", ["", "zz", "00", "é"])
def test_a_key_that_is_none_signs_nothing(key: str) -> None:
    content = written(MANIFEST)

    assert signature_problem(content, sign(content, KEY), key) is not None


def test_plain_data_is_always_the_same_bytes() -> None:
    assert manifest.canonical({"b": 1, "a": "Ә"}) == manifest.canonical({"a": "Ә", "b": 1})
