"""Hostile clients, and services that they attack."""
