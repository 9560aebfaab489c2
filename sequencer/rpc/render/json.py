"""What renderers return: objects ready for the JSON encoder."""

from typing import TypeAlias

Json: TypeAlias = dict[str, object]
"""A JSON object; quantities and bytes in it are hex text already."""
