"""What is odd about a document that follows all rules: one module per reason."""
