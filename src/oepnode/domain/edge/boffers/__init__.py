"""Boffers: model, JSON, rules, gate closure, comparison."""
