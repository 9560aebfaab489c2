"""Where settings come from, and that nothing unknown or unfit gets through."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sequencer.config_load import Flag, load, parse_assignment, with_value
from sequencer.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Inner:
    """Deeper."""

    depth: int = 1
    """How deep."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server."""

    port: int = 80
    """Where it listens."""
    wait_ms: int = 100
    """How long it waits."""
    file: Path = Path("x")
    """What it reads."""
    token: str = ""
    """What lets one in."""
    level: int = field(default=1, metadata={"minimum": 1, "maximum": 3})
    """How much."""
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.port == 666:
            raise ValueError("is the devil's port")
        if self.wait_ms == 777:
            raise ConfigError("wait_ms", self.wait_ms, "is unlucky")


@dataclass(frozen=True, slots=True)
class Root:
    server: Server = field(default_factory=Server)


def write(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_default_file_environment_flag_in_rising_order(tmp_path: Path) -> None:
    file = write(tmp_path, "[server]\nport = 1\nwait_ms = '2s'\nlevel = 2\n")
    loaded = load(
        Root,
        file=file,
        environment={"SEQUENCER_SERVER__PORT": "2", "SEQUENCER_SERVER__WAIT_MS": "3s", "HOME": "/"},
        flags=(Flag("server.port", "--port", "3"),),
    )
    assert loaded.settings == Root(Server(port=3, wait_ms=3000, level=2))
    assert loaded.origins == {
        "server.port": "flag --port",
        "server.wait_ms": "environment SEQUENCER_SERVER__WAIT_MS",
        "server.level": f"file {file}",
        "server.file": "default",
        "server.token": "default",
        "server.inner.depth": "default",
    }


def test_nested_sections(tmp_path: Path) -> None:
    file = write(tmp_path, "[server.inner]\ndepth = 5\n")
    assert load(Root, file=file, environment={}).settings.server.inner.depth == 5
    loaded = load(Root, file=None, environment={"SEQUENCER_SERVER__INNER__DEPTH": "6"})
    assert loaded.settings.server.inner.depth == 6


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[server]\nfile = 'data'\n")
    assert load(Root, file=file, environment={}).settings.server.file == tmp_path / "data"
    assert load(Root, file=None, environment={"SEQUENCER_SERVER__FILE": "data"}).settings.server.file == Path("data")


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("[server]\nprot = 1\n", "server.prot", "unknown key, did you mean server.port"),
        ("[sever]\nport = 1\n", "sever", "unknown section, did you mean server"),
        ("port = 1\n", "port", "unknown key"),
        ("[server.port]\nx = 1\n", "server.port", "unknown section"),
        ("[server]\nport = 70000\n", "server.port", "at most 65535"),
        ("[server]\nport = 'x'\n", "server.port", "expected a number"),
        ("[server]\nwait_ms = -1\n", "server.wait_ms", "at least 0"),
        ("[server]\nlevel = 4\n", "server.level", "at most 3"),
        ("[server]\nport = 666\n", "server", "the devil's port"),
        ("[server]\nwait_ms = 777\n", "server.wait_ms", "is unlucky"),
        ("[server]\ninner = 3\n", "server.inner", "unknown key"),
        ("[server\n", "--config", "is not TOML"),
    ],
)
def test_refuses_the_file(tmp_path: Path, text: str, key: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load(Root, file=write(tmp_path, text), environment={})
    assert caught.value.key == key


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(Root, file=tmp_path / "none.toml", environment={})


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SEQUENCER_SERVER_PORT", "1", "did you mean SEQUENCER_SERVER__PORT"),
        ("SEQUENCER_X", "1", "unknown environment variable"),
        ("SEQUENCER_SERVER__PORT", "x", "expected a number"),
    ],
)
def test_refuses_the_environment(variable: str, value: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(Root, file=None, environment={variable: value})


def test_the_variable_that_names_the_file_is_no_setting() -> None:
    assert load(Root, file=None, environment={"SEQUENCER_CONFIG": "x"}).settings == Root()


def test_a_secret_stays_out_of_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Root, file=write(tmp_path, "[server]\ntoken = 12345\n"), environment={})
    assert "12345" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load(Root, file=None, environment={"SEQUENCER_SERVER__TOKE": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_assignment_of_the_command_line() -> None:
    assert parse_assignment("server.port=1=2") == Flag("server.port", "--set server.port", "1=2")
    with pytest.raises(ConfigError, match=r"SECTION\.KEY=VALUE"):
        parse_assignment("server.port")
    with pytest.raises(ConfigError, match="unknown key"):
        load(Root, file=None, environment={}, flags=(parse_assignment("server.nothing=1"),))


def test_copy_with_one_value() -> None:
    assert with_value(Root(), "server.inner.depth", 9) == Root(Server(inner=Inner(9)))
