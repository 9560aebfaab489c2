"""The page in the tree is what its sources build, and carries everything it needs in itself."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from sequencer.core.preconf_json import parse
from sequencer.web import build, pages
from tests.preconfirmations import sample

PAGE = (Path(build.__file__).parent / "verify.html").read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert build.build() == PAGE, "run: .venv/bin/python -m sequencer.web.build"


def test_the_policy_admits_this_style_and_script_alone() -> None:
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', PAGE)
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', PAGE, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    admitted = f"script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; img-src data:"
    rest = "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    assert policy == [f"default-src 'none'; {admitted}; {rest}"]


def test_nothing_is_loaded_from_anywhere() -> None:
    addresses = re.findall(r'(?:src|href|action|url)\s*[=(]\s*["\']?([^"\')\s>]+)', PAGE)
    assert {address[0:5] for address in addresses} <= {"#shap", "data:"}
    assert "import " not in re.sub(r"//.*|/\*.*?\*/|@param.*", "", PAGE.split('type="module">')[1])


def test_every_field_has_a_label_and_every_id_is_used_once() -> None:
    ids = re.findall(r'\bid="([^"]+)"', PAGE)
    assert len(ids) == len(set(ids))
    for tag, attributes in re.findall(r"<(textarea|input)\s([^>]*)>", PAGE):
        (field,) = re.findall(r'\bid="([^"]+)"', attributes)
        assert f'<label for="{field}"' in PAGE, tag


def test_the_example_holds() -> None:
    (example,) = re.findall(r'id="example-promise">(.*?)</script>', PAGE, re.DOTALL)
    assert parse(example) == sample()


def test_modules_that_share_a_name_are_not_bundled(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("export const same = 1;\n")
    (tmp_path / "b.js").write_text('import { same } from "./a.js";\nconst other = same;\n')
    assert build.bundle(tmp_path / "b.js") == "// a.js\nconst same = 1;\n\n// b.js\nconst other = same;\n"
    (tmp_path / "b.js").write_text('import { same as other } from "./a.js";\nconst same = 2;\n')
    with pytest.raises(build.BuildError, match=r"b\.js and a\.js both declare same"):
        build.bundle(tmp_path / "b.js")
    (tmp_path / "b.js").write_text('import other from "./a.js";\n')
    with pytest.raises(build.BuildError, match="another form"):
        build.bundle(tmp_path / "b.js")
    (tmp_path / "a.js").write_text('import { other } from "./b.js";\n')
    (tmp_path / "b.js").write_text('import { same } from "./a.js";\n')
    with pytest.raises(build.BuildError, match="imports itself"):
        build.bundle(tmp_path / "b.js")


def test_the_node_serves_the_page() -> None:
    assert list(pages.routes()) == ["/verify"]
