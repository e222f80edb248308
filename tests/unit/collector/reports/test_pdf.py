# SPDX-License-Identifier: Apache-2.0
"""Is the page made into PDF where WeasyPrint is, and is it said what is missing where it is not?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from collector.errors import ConfigError
from collector.reports import pdf
from collector.reports.catalogue import LANGUAGES
from collector.reports.page import page
from tests.unit.collector.reports.samples import FROZEN, figures


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "rev1"
    folder.mkdir()
    for language in LANGUAGES:
        (folder / f"report.{language}.html").write_text(page(figures(1), FROZEN, (), language))
    return folder


def test_without_the_extra_it_says_what_is_missing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)

    with pytest.raises(ConfigError, match="needs the extra `pdf`"):
        pdf.write_pdfs(bundle, bundle.parent)


def test_a_folder_that_is_no_revision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is this the folder of a revision"):
        pdf.write_pdfs(tmp_path, tmp_path / "out")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_page_becomes_a_pdf_beside_the_bundle_the_same_twice(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "LANGUAGES", ("kk",))
    (one,), (again,) = (pdf.write_pdfs(bundle, tmp_path / name) for name in ("one", "other"))

    assert one.name == "report.kk.pdf"
    assert one.read_bytes()[:5] == b"%PDF-"
    assert again.read_bytes() == one.read_bytes()
    assert sorted(p.name for p in bundle.iterdir()) == [f"report.{word}.html" for word in sorted(LANGUAGES)]


def test_a_page_that_asks_for_something_gets_nothing() -> None:
    with pytest.raises(ValueError, match="asks for nothing"):
        pdf._refuse("http://127.0.0.1/x.png")
