"""Checks that every time series shares."""
