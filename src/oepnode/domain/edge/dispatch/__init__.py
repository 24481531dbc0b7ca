"""Dispatch instructions: validation and conformance to targets."""
