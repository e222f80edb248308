# SPDX-License-Identifier: Apache-2.0
"""What do the tests of deployment share?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import wheel as building


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution as it would be installed."""
    return building.build(tmp_path_factory.mktemp("wheel"))
