"""The worker: pure transition → committed to the store → effects carried out.

``state`` and ``transition`` are pure. ``worker`` feeds them with the chain's events and keeps the
order: a change and its effects are committed before any effect is carried out. ``effects`` carries
them out, each safe to repeat.
"""
