"""Forecasts of uncontrolled power: validation and accuracy."""
