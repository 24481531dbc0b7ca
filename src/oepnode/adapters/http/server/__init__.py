"""HTTP serving with bounded connections and deadlines, for the services and the worker."""
