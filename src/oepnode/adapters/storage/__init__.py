"""SQLite databases, files and Parquet."""
