"""Builds the self-contained pages: ``python -m sequencer.web.build`` in a checkout of the project.

A page is one HTML file: the template with its style, and with its script bundled from the modules it imports, which
for ``verify.html`` are those of the package ``clients/js``. The bundle is the modules one after another, each
after those it needs, without their imports and exports; so their top-level names must differ, which is checked.
The content security policy admits exactly this style and this script, by hash. Equal sources give equal bytes.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_DECLARATION: Final = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) +(\w+)", re.MULTILINE)


class BuildError(Exception):
    """The sources cannot be bundled; the message says which."""


def build(name: str = "verify") -> str:
    """The text of ``<name>.html``."""
    page = _FOLDER / "page"
    style = "\n" + (page / f"{name}.css").read_text(encoding="utf-8")
    script = "\n" + bundle(page / f"{name}.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    example = (page / "example.json").read_text(encoding="utf-8").strip()
    if "</" in script + style + example:
        raise BuildError("a source closes its own element")
    text = (page / f"{name}.html").read_text(encoding="utf-8")
    parts = {"policy": policy, "style": style, "example": example, "script": script}
    return re.sub(r"\{\{(\w+)\}\}", lambda marker: parts[marker[1]], text)


def bundle(entry: Path) -> str:
    """One script of ``entry`` and everything it imports. Raises ``BuildError``."""
    modules: dict[Path, str] = {}
    _collect(entry.resolve(), modules, ())
    owners: dict[str, Path] = {}
    for path, source in modules.items():
        for declared in _DECLARATION.findall(source):
            if owners.setdefault(declared, path) != path:
                raise BuildError(f"{path.name} and {owners[declared].name} both declare {declared}")
    return "\n".join(_as_part(path, source) for path, source in modules.items())


def _collect(path: Path, modules: dict[Path, str], above: tuple[Path, ...]) -> None:
    """Add ``path`` after everything it imports."""
    if path in above:
        raise BuildError(f"{path.name} imports itself")
    if path in modules:
        return
    source = path.read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        _collect((path.parent / imported).resolve(), modules, (*above, path))
    modules[path] = source


def _as_part(path: Path, source: str) -> str:
    part = re.sub(r"^export (?=\w)", "", _IMPORT.sub("", source), flags=re.MULTILINE)
    if re.search(r"^(import|export)\b", part, re.MULTILINE):
        raise BuildError(f"{path.name} has an import or export of another form")
    return f"// {path.name}\n{part.strip()}\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def main() -> int:
    """Write the pages; the exit code."""
    (_FOLDER / "verify.html").write_text(build(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
