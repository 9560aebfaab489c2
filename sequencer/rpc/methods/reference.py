"""The method table as ``docs/json-rpc.md`` shows it, made from the declarations themselves.

``python -m sequencer.rpc.methods.reference docs/json-rpc.md`` brings the page up to date.
"""

import inspect
import sys
from pathlib import Path
from typing import Final

from sequencer.rpc.methods.method import Method
from sequencer.rpc.methods.table import METHODS

BEGIN: Final = "<!-- method table: made by python -m sequencer.rpc.methods.reference -->\n"
END: Final = "<!-- end of the method table -->\n"


def method_table() -> str:
    """Markdown: a row a method, by name."""
    head = "| method | parameters | limit | weight | answer |\n|---|---|---|---|---|\n"
    return head + "".join(_row(METHODS[name]) for name in sorted(METHODS))


def with_method_table(page: str) -> str:
    """``page`` with the present table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{method_table()}{END}{after}"


def _row(method: Method) -> str:
    parameters = ", ".join(each.name if each.required else f"[{each.name}]" for each in method.parameters)
    about = " ".join((inspect.getdoc(method.handler) or "").partition("\n\n")[0].split())
    sentence = about.partition(". ")[0].rstrip(".").replace("``", "`").replace("|", "\\|")
    kind = method.kind
    return f"| `{method.name}` | {parameters} | {kind.value} | {kind.weight} | {sentence} |\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_method_table(path.read_text()))
