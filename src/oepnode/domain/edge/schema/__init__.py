"""The form of the EDGE datasets: names, columns, units, JSON."""
