"""Mutation testing of the contracts: small errors put into the sources, which the tests must notice.

`source` tells code from comments, `operators` makes the mutants, `accepted` knows which survivors
are harmless and why, `workshop` runs Forge's tests on copies, and `run` is ``scripts/mutate-contracts``.
"""
