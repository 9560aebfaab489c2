"""Metrics of watching for faults."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class EvidenceMetrics:
    """Declared once a watcher."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.promises = Counter(
            "sequencer_evidence_promises_seen", "Signed flashblocks compared by the watcher.", registry=registry
        )
        self.batches = Counter(
            "sequencer_evidence_batches_seen", "Posted batches compared by the watcher.", registry=registry
        )
        self.found = Counter(
            "sequencer_evidence_found", "Faults proven and written as evidence.", ["fault"], registry=registry
        )
        self.open_questions = Gauge(
            "sequencer_evidence_open_questions",
            "Ancestors that are missing to tell whether two promises are on one chain.",
            registry=registry,
        )
        self.forgotten = Gauge(
            "sequencer_evidence_forgotten",
            "Promises, batches and ancestors that the watcher dropped to stay within its memory.",
            registry=registry,
        )
