"""What is written for containers and Kubernetes: it is what schemas and the edge itself take, and its parts agree."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from sbc.config import Config, parse
from sbc.runtime.departure import ANSWERING, STOPPING

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "config" / "container" / "Containerfile"
MANIFEST = ROOT / "config" / "kubernetes" / "sbc.yaml"
TOOLS = Path(sys.executable).parent
USER = 10001


@cache
def manifest() -> Mapping[tuple[str, str], Any]:
    """What it is made of, by kind and name."""
    found = list(yaml.safe_load_all(MANIFEST.read_text()))
    return {(entry["kind"], entry["metadata"]["name"]): entry for entry in found}


def pod() -> Any:
    return manifest()["StatefulSet", "sbc"]["spec"]["template"]["spec"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration in it, with files in the place of secrets, as its first container has named it."""
    authority = trustme.CA()
    pair = authority.issue_cert("edge.example")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    pair.private_key_pem.write_to_path(tmp_path / "tls.key")
    for name in ("redis", "trunk", "seal.key"):
        (tmp_path / name).write_text("5e" * 32)
    text = manifest()["ConfigMap", "sbc"]["data"]["sbc.yaml"]
    for directory in ("/run/secrets/sbc", "/run/secrets/tls"):
        text = text.replace(directory, str(tmp_path))
    return parse(text.replace("@NAME@", "sbc-0").replace("@ADDRESS@", "10.1.2.3"), "sbc.yaml")


def test_the_edge_takes_the_configuration_and_listens_where_the_manifest_says(config: Config) -> None:
    [container] = pod()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert config.trunk is not None
    assert ports == {"admin": config.admin.listen.port, "trunk": config.trunk.listen.port,
                     **{listener.name: listener.listen.port for listener in config.listeners}}
    asked = {port["targetPort"] for (kind, _), entry in manifest().items() if kind == "Service"
             for port in entry["spec"]["ports"]}
    allowed = {port["port"] for rule in manifest()["NetworkPolicy", "sbc"]["spec"]["ingress"] for port in rule["ports"]}
    assert asked < set(ports) and allowed == set(ports)
    assert not any(port < 1024 for port in ports.values()), "it has no privilege to"


def test_an_edge_has_time_to_send_its_clients_away() -> None:
    [container] = pod()["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command[:-1] == ["sbc", "drain", "--edge", "--settle"]
    assert pod()["terminationGracePeriodSeconds"] >= int(command[-1]) + ANSWERING + STOPPING + 15
    unready = container["readinessProbe"]["periodSeconds"] * container["readinessProbe"]["failureThreshold"]
    assert unready < int(command[-1])


def test_nothing_runs_with_privileges() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] and pod()["securityContext"]["runAsUser"] == USER
    assert pod()["automountServiceAccountToken"] is False
    for container in (*pod()["containers"], *pod()["initContainers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["resources"]["limits"]["memory"]
    assert f"\nUSER {USER}:{USER}\n" in CONTAINERFILE.read_text()


def test_what_is_selected_is_there() -> None:
    labels = manifest()["StatefulSet", "sbc"]["spec"]["template"]["metadata"]["labels"]
    for entry in manifest().values():
        spec = entry.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if selector:
            assert selector.get("matchLabels", selector) == labels, entry["kind"]


def test_kubernetes_takes_the_manifest() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for version in ("1.30", "1.37"):
        for entry in manifest().values():
            validator.validate(entry, version, strict=True)


def test_the_container_file_is_as_it_should_be() -> None:
    program = shutil.which("hadolint", path=str(TOOLS)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    ran = subprocess.run([program, str(CONTAINERFILE)], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    copied = [line.split()[1:-1] for line in CONTAINERFILE.read_text().splitlines()
              if line.startswith("COPY") and "--from" not in line]
    assert all((ROOT / name).exists() for names in copied for name in names)
