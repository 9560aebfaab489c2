"""The JavaScript package as its users get it: its own tests, its types, and nothing that it would have to load."""

import json
import re
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "clients" / "js"


def test_its_own_tests() -> None:
    done = subprocess.run(["node", "--test"], cwd=PACKAGE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert not re.search(r"^# pass 0$", done.stdout, re.MULTILINE)


def test_the_types_name_what_is_exported() -> None:
    exported = re.findall(r"\w+", " ".join(re.findall(r"export \{(.*?)\}", (PACKAGE / "src/index.js").read_text())))
    declared = re.findall(r"^export (?:class|const|function) (\w+)", (PACKAGE / "index.d.ts").read_text(), re.MULTILINE)
    assert sorted(exported) == sorted(declared)


def test_it_imports_nothing_but_itself() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text())
    assert not [key for key in manifest if key.endswith("ependencies")]
    for source in (PACKAGE / "src").glob("*.js"):
        for imported in re.findall(r'(?:from|import\()\s*"([^"]+)"', source.read_text()):
            assert (source.parent / imported).is_file(), (source.name, imported)
