"""Strict reading of JSON documents: exact numbers, every fault with its path."""
