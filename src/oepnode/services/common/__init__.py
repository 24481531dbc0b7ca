"""HTTP responses, serving, authorization and access log, shared by the services."""
