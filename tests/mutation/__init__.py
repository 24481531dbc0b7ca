"""Mutation testing of the contracts: the tests must notice small errors in the sources.

`source` tells code from comments, `operators` makes the mutants, `accepted` knows which survivors
are harmless and why, `workshop` runs Forge's tests on copies, and `run` is
``scripts/mutate-contracts``.
"""
