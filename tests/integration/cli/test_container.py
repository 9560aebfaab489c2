"""The container image: built, run without root on a read-only root, and healthy, where a builder is at hand."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUILD_S, READY_S = 1200, 60


def builder() -> str:
    """A program that can build and run an image now; skips the test where there is none."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    pytest.skip("no container builder is running on this machine: docker or podman is needed")


def base_image(program: str) -> list[str]:
    """The build argument for another base image, or a check that the usual one can be had."""
    if image := os.environ.get("CONTAINER_PYTHON_IMAGE"):
        return ["--build-arg", f"PYTHON_IMAGE={image}"]
    usual = next(
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG PYTHON_IMAGE=")
    )
    pulled = subprocess.run([program, "pull", usual.partition("=")[2]], capture_output=True, text=True, check=False)
    if pulled.returncode != 0:
        pytest.skip("the base image cannot be pulled here: name a local one in CONTAINER_PYTHON_IMAGE")
    return []


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[str, str]]:
    program = builder()
    tag = f"rollup-sequencer-test:{uuid.uuid4().hex[:8]}"
    command = [program, "build", "--tag", tag, *base_image(program), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert built.returncode == 0, built.stderr[-4000:]
    yield program, tag
    subprocess.run([program, "rmi", "--force", tag], capture_output=True, check=False)


@pytest.mark.timeout(BUILD_S + READY_S)
def test_the_image_runs_a_chain(image: tuple[str, str]) -> None:
    program, tag = image
    name = f"rollup-sequencer-test-{uuid.uuid4().hex[:8]}"
    command = [program, "run", "--rm", "--detach", "--name", name, "--read-only", "--tmpfs", "/tmp", tag]
    subprocess.run([*command, "devnet", "--json"], capture_output=True, text=True, timeout=READY_S, check=True)
    try:
        line = ""
        deadline = time.monotonic() + READY_S
        while not line.strip() and time.monotonic() < deadline:
            line = subprocess.run([program, "logs", name], capture_output=True, text=True, check=True).stdout
        assert json.loads(line)["chainId"] == 421701
        who = subprocess.run([program, "exec", name, "id", "-u"], capture_output=True, text=True, check=True).stdout
        assert who.strip() == "10001"
        probe = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/livez', timeout=5).status)"
        alive = subprocess.run(
            [program, "exec", name, "python", "-c", probe], capture_output=True, text=True, check=True
        )
        assert alive.stdout.strip() == "200"
    finally:
        subprocess.run([program, "stop", name], capture_output=True, check=False)
