"""Histograms, ledger, series and thresholds; imports nothing else of ours."""
