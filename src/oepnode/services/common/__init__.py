"""HTTP, serving and authorization that every service shares."""
