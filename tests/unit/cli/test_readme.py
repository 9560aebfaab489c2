"""What README and contributors' notes tell people to type exists."""

import re
import subprocess
from pathlib import Path

import pytest

from sequencer.cli.main import parser
from sequencer.core.errors import TEXT

ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(text: str) -> list[str]:
    """Lines of shell blocks, continuations joined, and inline code."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.split("#")[0].strip() for line in lines] + re.findall(
        r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_make_targets_exist(document: Path) -> None:
    for command in commands(document.read_text()):
        if command.startswith("make "):
            target = command.split()[1]
            assert target in TARGETS, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_commands_of_the_node_parse(document: Path) -> None:
    for command in commands(document.read_text()):
        if command in TEXT.values():  # an error of the node, quoted
            continue
        words = command.removeprefix(".venv/bin/").split(" > ")[0].split()
        if words[:1] != ["sequencer"] or len(words) < 2 or "COMMAND" in words or "|" in command or "..." in command:
            continue
        if words[1:] in (["init"], ["derive"], ["run"]):  # a mention of the command, not a line to type
            continue
        parser().parse_args(words[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert link.startswith("https://") or (document.parent / link).exists(), link


def test_the_readme_leads_with_two_commands_and_fits_a_screen() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.search(r"```sh\n(.*?)```", text, re.DOTALL).group(1).split("\n")[0].startswith("make devnet")  # type: ignore[union-attr]
    assert [command for command in commands(text) if command.startswith("make")][:2] == ["make devnet", "make test"]
    assert len(text.splitlines()) <= 60


def test_make_help_lists_every_target_with_a_description() -> None:
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in TARGETS - {"try-native"}:
        assert re.search(rf"make {target} ", text), target


def test_lock_files_pin_by_hash_and_name_no_place() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text, lock
        pinned = re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)
        assert pinned
        assert len(re.findall(r"^[a-z0-9].*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(pinned)
    assert '"resolved"' not in (ROOT / "tests" / "clients" / "package-lock.json").read_text()


def test_run_and_dev_pin_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.lock").read_text()
        return {line.split(" ")[0] for line in re.findall(r"^[a-z0-9].*==.*$", text, re.MULTILINE)}

    for name in ("run", "build", "native"):
        assert pins(name) <= pins("dev"), name
