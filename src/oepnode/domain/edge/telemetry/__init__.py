"""Telemetry: validation, aggregation, conformance to envelopes."""
