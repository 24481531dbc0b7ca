"""Test vectors of rules version 1: one module for each group, computed by the model alone."""
