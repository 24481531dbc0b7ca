"""A plain second implementation of the rules, kept apart from the product on purpose."""
