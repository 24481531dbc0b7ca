"""Sample data, and the demo that runs everything on one machine."""
