"""Operating envelopes as an aggregator and an analyst use them."""
