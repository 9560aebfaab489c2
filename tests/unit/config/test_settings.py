"""The settings of this node: documented, bounded, and the reference file true to them."""

import tomllib
from pathlib import Path
from typing import get_type_hints

import pytest

from sequencer import config
from sequencer.config import Settings
from sequencer.config_load import Flag
from sequencer.config_reference import in_force, in_force_json, reference
from sequencer.config_schema import keys, sections, summary
from sequencer.config_values import describe
from sequencer.core.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"


def test_every_key_is_documented_and_has_a_type_that_can_be_read() -> None:
    for key in keys(Settings):
        assert key.doc.endswith((".", ")")), f"{key.name} lacks documentation: a string below its field"
        assert describe(key.kind)
    for path, owner in sections(Settings):
        assert summary(owner), path


def test_environment_names_are_distinct() -> None:
    names = [key.environment for key in keys(Settings)]
    assert len(set(names)) == len(names)


def test_the_reference_file_is_what_the_code_says() -> None:
    assert (CONFIGS / "reference.toml").read_text() == reference(Settings), (
        "run: sequencer config reference > configs/reference.toml"
    )


def test_the_reference_file_holds_the_defaults() -> None:
    loaded = config.load(CONFIGS / "reference.toml", environment={})
    default = config.load(environment={})
    for key in keys(Settings):
        if key.name != "node.data_dir":  # relative, so it starts at the file's folder
            assert key.read(loaded.settings) == key.read(default.settings), key.name


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.name)
def test_shipped_files_load(file: Path) -> None:
    config.load(file, environment={})


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[rpc]\nport = 1234\n")
    assert config.load(environment={"SEQUENCER_CONFIG": str(file)}).settings.rpc.port == 1234


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        ((("rpc.port", 5000), ("metrics.port", 5000)), "metrics.port"),
        ((("block.block_time_ms", 5), ("block.flashblock_interval_ms", 10)), "block.flashblock_interval_ms"),
        ((("node.read_workers", 0),), "node.read_workers"),
        ((("node.engine", "geth"),), "node.engine"),
        ((("log.level", "loud"),), "log.level"),
    ],
)
def test_refuses(flags: tuple[tuple[str, object], ...], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(flags=tuple(Flag(name, "--set", value) for name, value in flags), environment={})
    assert caught.value.key == key


def test_any_free_port_for_both_is_no_clash() -> None:
    flags = (Flag("rpc.port", "--port", 0), Flag("metrics.port", "--metrics-port", 0))
    assert config.load(flags=flags, environment={}).settings.rpc.port == 0


def test_show_prints_toml_that_loads_again() -> None:
    loaded = config.load(environment={"SEQUENCER_RPC__PORT": "1"})
    text = in_force(loaded.settings, loaded.origins)
    assert "rpc.port = 1  # environment SEQUENCER_RPC__PORT" in text
    assert 'log.level = "info"  # default' in text
    document = tomllib.loads("\n".join(line for line in text.splitlines() if "(none)" not in line))
    assert document["rpc"]["port"] == 1
    assert in_force_json(loaded.settings, loaded.origins)["rpc.port"] == {
        "value": "1",
        "origin": "environment SEQUENCER_RPC__PORT",
    }


def test_sections_are_dataclasses_of_the_parts() -> None:
    hints = get_type_hints(Settings)
    assert {path[0] for path, _ in sections(Settings) if len(path) == 1} == set(hints)
