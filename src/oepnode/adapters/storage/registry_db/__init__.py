"""The registry's database of aggregators and assignments, in SQLite or PostgreSQL."""
