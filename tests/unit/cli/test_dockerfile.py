"""What the container promises, as far as its Dockerfile shows it without a builder."""

import json
import re
from pathlib import Path

from sequencer.cli.main import parser
from sequencer.config import Settings
from sequencer.config_schema import keys

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "Dockerfile").read_text()
LAST_STAGE = TEXT[TEXT.rindex("\nFROM ") :]


def test_images_are_pinned_to_a_version() -> None:
    images = re.findall(r"^ARG \w+_IMAGE=(\S+)$", TEXT, re.MULTILINE)
    assert images
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images)


def test_runs_without_root_in_exec_form_with_a_health_check() -> None:
    assert re.search(r"^USER 10001:10001$", LAST_STAGE, re.MULTILINE)
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", LAST_STAGE, re.MULTILINE).group(1)) == ["sequencer"]  # type: ignore[union-attr]
    command = json.loads(re.search(r"^CMD (.*)$", LAST_STAGE, re.MULTILINE).group(1))  # type: ignore[union-attr]
    parser().parse_args(command)
    probe = json.loads(re.search(r"HEALTHCHECK [^\[]*CMD (\[.*\])", LAST_STAGE, re.DOTALL).group(1).splitlines()[0])  # type: ignore[union-attr]
    compile(probe[2], "health check", "exec")
    assert "/livez" in probe[2]


def test_its_environment_is_made_of_settings() -> None:
    known = {key.environment for key in keys(Settings)}
    used = set(re.findall(r"\b(SEQUENCER_[A-Z_]+)=", TEXT))
    assert used
    assert used <= known


def test_every_source_folder_is_copied_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for source in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", TEXT, re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists(), path
            assert f"!{path.split('/')[0]}" in ignored, path
