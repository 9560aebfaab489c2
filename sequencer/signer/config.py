"""Settings of the sequencer's signing key."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SignerConfig:
    """The key with which promises and batches are signed."""

    keystore: Path | None = None
    """Encrypted key file (Web3 Secret Storage, version 3); keystore.json in the data directory when not set."""
    password_file: Path | None = None
    """File whose first line is the keystore's password; password in the data directory when not set."""
