# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from collector.sinks import SINKS, sink_class


@pytest.mark.parametrize("kind", SINKS)
def test_class_has_the_name_of_its_kind_and_documented_options(kind: str) -> None:
    made = sink_class(kind)
    assert made.name == kind
    assert all(f.metadata["doc"] for f in dataclasses.fields(made.OPTIONS))
    assert made.OPTIONS().enabled is (kind == "store")


def test_influxdb_client_is_not_imported_when_only_the_store_is_used() -> None:
    code = (
        "import sys, collector.sinks as s; s.sink_class('store'); sys.exit('influxdb_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
