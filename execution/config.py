"""Settings of execution."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """How blocks are executed, beyond the engine that ``node.engine`` names."""

    verify_blocks: bool = True
    """Execute every sealed block once more on a second engine with a state of its own before a batch with it closes;
    costs about a tenth of the node's processor time at full load, and as much disk as the state."""
