"""Histograms, ledger, series and thresholds; imports nothing else of ours."""

from .histogram import Histogram
from .ledger import SLOT_NS, Ledger, Outcome, Stray
from .push import NOWHERE, Counts, Fate, Push, Tally
from .series import SeriesBook, SlotSummary, Sum
from .thresholds import Threshold, ThresholdError, parse_threshold

__all__ = [
    "NOWHERE",
    "SLOT_NS",
    "Counts",
    "Fate",
    "Histogram",
    "Ledger",
    "Outcome",
    "Push",
    "SeriesBook",
    "SlotSummary",
    "Stray",
    "Sum",
    "Tally",
    "Threshold",
    "ThresholdError",
    "parse_threshold",
]
