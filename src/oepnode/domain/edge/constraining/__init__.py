"""Boffers constrained to operating envelopes."""
