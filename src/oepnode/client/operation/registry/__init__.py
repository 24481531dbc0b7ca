"""The registry's database: aggregators, assignments, imports, history and snapshots."""
