"""Every metric is named by the rules and stands in docs/metrics.md, which this file writes:

python tests/unit/telemetry/test_metrics_doc.py > docs/metrics.md
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "metrics.md"
PACKAGES = ("sequencer", "mempool", "execution", "da")
UNBOUNDED = {"hash", "tx", "address", "sender", "peer", "ip", "number"}

INTRODUCTION = """\
# Metrics

What `/metrics` shows on the metrics port (9464 unless told otherwise), part by part. Times are in seconds, sizes in
bytes; counters end in `_total`, and a histogram `x` gives `x_bucket`, `x_sum` and `x_count`. The standard `process_*`,
`python_info` and `python_gc_*` are there too.
"""


def declared() -> Iterator[tuple[str, Metric, tuple[str, ...]]]:
    """Part, metric and label names of everything that a ``metrics.py`` declares."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("metrics.py")):
            part = ".".join(file.relative_to(ROOT).parent.parts)
            module = importlib.import_module(f"{part}.metrics")
            for _, owner in inspect.getmembers(module, inspect.isclass):
                if owner.__module__ == module.__name__ and owner.__name__.endswith("Metrics"):
                    registry = CollectorRegistry()
                    owner(registry)
                    for collector in list(registry._collector_to_names):
                        for metric in collector.describe() if hasattr(collector, "describe") else collector.collect():
                            if metric.name.startswith("sequencer_"):
                                yield part, metric, tuple(getattr(collector, "_labelnames", ()))


def document() -> str:
    lines = [INTRODUCTION.rstrip()]
    previous = ""
    for part, metric, labels in declared():
        if part != previous:
            lines += ["", f"## {part}", "", "| metric | kind | labels | what it says |", "|---|---|---|---|"]
            previous = part
        name = metric.name + ("_total" if metric.type == "counter" else "")
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {metric.type} | {shown} | {metric.documentation} |")
    return "\n".join(lines) + "\n"


def test_the_document_is_what_the_code_declares() -> None:
    assert DOCUMENT.read_text() == document(), f"run: python {Path(__file__).relative_to(ROOT)} > docs/metrics.md"


def test_names_are_unique_and_have_help() -> None:
    names = [metric.name for _, metric, _ in declared()]
    assert sorted(set(names)) == sorted(names)
    assert all(metric.documentation for _, metric, _ in declared())


def test_units_are_base_units_and_labels_are_bounded() -> None:
    for _, metric, labels in declared():
        assert not metric.name.endswith(("_ms", "_milliseconds", "_kb", "_mb")), metric.name
        assert not UNBOUNDED & set(labels), metric.name


if __name__ == "__main__":
    sys.stdout.write(document())
