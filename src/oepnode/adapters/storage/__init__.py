"""SQLite, files and Parquet."""
