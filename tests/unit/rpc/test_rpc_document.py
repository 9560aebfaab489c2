"""The page on JSON-RPC says what the code does."""

import re
from pathlib import Path

from sequencer.rpc.methods.reference import with_method_table
from sequencer.rpc.subscription_kinds import KINDS

PAGE = Path(__file__).parents[3] / "docs" / "json-rpc.md"


def test_the_method_table_is_that_of_the_code() -> None:
    page = PAGE.read_text()
    update = "run: .venv/bin/python -m sequencer.rpc.methods.reference docs/json-rpc.md"
    assert with_method_table(page) == page, update


def test_every_subscription_is_named() -> None:
    for kind in KINDS:
        assert f"`{kind}`" in PAGE.read_text()


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
