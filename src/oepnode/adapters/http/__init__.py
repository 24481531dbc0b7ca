"""Clients of sender, registry, relay and workers."""
