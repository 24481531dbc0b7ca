"""The EDGE datasets: offers, telemetry and forecasts, and what envelopes do to them.

Pure, as all of ``domain``. Sources: Project EDGE data specification Part C, Boffer high-level
design (HLD).
"""
