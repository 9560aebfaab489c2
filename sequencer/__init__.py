"""The rollup sequencer node. Import its parts by their own names; this package imports nothing."""
