# SPDX-License-Identifier: Apache-2.0
"""Is the compose file whole, does what it mounts exist, does what it publishes stay on the host?

Docker itself is not run.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.enrolment import load_registry
from tests.deploy.grafana import FOLDER as GRAFANA

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MADE_BY_CREDENTIALS = "./secrets/"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def test_services_are_the_whole_centre(compose: dict[str, Any]) -> None:
    brokers, databases = {"mosquitto", "broker-files"}, {"influxdb", "influxdb-setup"}
    assert set(compose["services"]) == brokers | databases | {"collector", "grafana"}


def test_only_what_asks_for_certificates_and_tokens_is_published_beyond_this_host(
    compose: dict[str, Any],
) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert {port for port in ports if not port.startswith("127.0.0.1:")} == {"8883:8883", "8443:8443"}
    assert len(ports) == 4


def test_nobody_sees_the_authoritys_folder_but_the_collector_and_who_copies_from_it(
    compose: dict[str, Any],
) -> None:
    mounts = {(name, v) for name, s in compose["services"].items() for v in s.get("volumes", [])}
    assert {(name, v) for name, v in mounts if v.startswith("authority:")} == {
        ("collector", "authority:/var/lib/schoolpulse/authority"),
        ("broker-files", "authority:/authority:ro"),
    }
    assert compose["services"]["broker-files"]["network_mode"] == "none"


def test_mounts_are_files_of_the_tree_or_declared_volumes(compose: dict[str, Any]) -> None:
    sources = {v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", [])}
    files = {s for s in sources if s.startswith("./")}
    assert sources - files == set(compose["volumes"])
    assert all((DEPLOY / f).exists() for f in files if not f.startswith(MADE_BY_CREDENTIALS))
    assert len(files) >= 9


def test_secrets_used_are_declared_and_come_from_files(compose: dict[str, Any]) -> None:
    used = {name for s in compose["services"].values() for name in s.get("secrets", [])}
    assert used == set(compose["secrets"])
    assert all(entry["file"] == f"./secrets/{name}" for name, entry in compose["secrets"].items())


def test_images_are_pinned_and_privileges_dropped(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r":\d+\.\d+", service["image"]) or "build" in service, name
        assert "privileged" not in service
    assert compose["services"]["collector"]["cap_drop"] == ["ALL"]


def test_dependencies_are_services(compose: dict[str, Any]) -> None:
    named = {name for s in compose["services"].values() for name in s.get("depends_on", {})}
    assert named <= set(compose["services"])


def test_no_secret_is_in_the_environment(compose: dict[str, Any]) -> None:
    names = [name for s in compose["services"].values() for name in s.get("environment", {})]
    assert names
    assert all(n.endswith("_FILE") for n in names if re.search(r"PASSWORD|TOKEN|SECRET", n))


def test_data_source_has_a_fixed_uid_and_reads_its_token_from_a_file() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/influxdb.yaml").read_text())[
        "datasources"
    ]
    assert (source["uid"], source["type"], source["access"]) == ("schoolpulse", "influxdb", "proxy")
    assert source["jsonData"]["dbName"] == "schoolpulse"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"]["httpHeaderValue1"] == "Token $__file{/run/token/token}"


def test_dashboards_are_provisioned_from_where_they_are_mounted(compose: dict[str, Any]) -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/schoolpulse.yaml").read_text())[
        "providers"
    ]
    mounts = dict(v.split(":")[:2] for v in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]


def test_collector_names_the_services_and_its_secrets(compose: dict[str, Any]) -> None:
    options = tomllib.loads((DEPLOY / "collector/collector.toml").read_text())
    assert options["mqtt"]["host"] in compose["services"]
    authority = options["authority"]["directory"]
    assert f"authority:{authority}" in compose["services"]["collector"]["volumes"]
    assert all(options["mqtt"][f"{name}_file"].startswith(f"{authority}/") for name in ("ca", "cert", "key"))
    assert options["sinks"]["influxdb"]["url"] == "http://influxdb:8086"


def test_example_registry_places_the_example_device() -> None:
    registry = load_registry(DEPLOY / "collector/registry.toml")
    school = registry.school_of("pi-0001", 1_790_000_000_000)
    assert school is not None
    assert school.id == "example-1"
