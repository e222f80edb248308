# SPDX-License-Identifier: Apache-2.0
"""The same pages as PDF, by WeasyPrint (the extra `pdf`); it reads no other file and no address."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from collector.errors import ConfigError
from collector.reports.catalogue import LANGUAGES


def write_pdfs(bundle: Path, out: Path) -> list[Path]:
    """One file a language, beside a bundle rather than in it: it stays what was signed.

    Raises:
        ConfigError: WeasyPrint is not installed, or the folder has no pages.
    """
    library = _library()
    out.mkdir(parents=True, exist_ok=True)
    return [_write(library, bundle / f"report.{word}.html", out / f"report.{word}.pdf") for word in LANGUAGES]


def _library() -> Any:
    try:
        return importlib.import_module("weasyprint")
    except ImportError as e:
        raise ConfigError("report pdf", f"needs the extra `pdf` (pip install schoolpulse[pdf]): {e}") from e
    except OSError as e:
        raise ConfigError("report pdf", f"needs Pango (Debian: libpangoft2-1.0-0): {e}") from e


def _write(library: Any, source: Path, target: Path) -> Path:
    if not source.exists():
        raise ConfigError(str(source), "is not there; is this the folder of a revision?")
    library.HTML(filename=str(source), url_fetcher=_refuse).write_pdf(str(target))
    return target


def _refuse(url: str, *_: object, **__: object) -> Any:
    raise ValueError(f"a report asks for nothing, and not for {url}")
