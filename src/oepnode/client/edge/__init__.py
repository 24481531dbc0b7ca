"""Project EDGE datasets in Python: envelopes, telemetry, forecasts and dispatch instructions."""
