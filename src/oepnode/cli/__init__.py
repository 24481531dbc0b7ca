"""The command line: one module per command group, assembled in ``main``.

A command parses its options, asks the layers below, and prints; errors become exit codes in
``exits`` and nowhere else. Heavy parts are imported when a command runs.
"""
