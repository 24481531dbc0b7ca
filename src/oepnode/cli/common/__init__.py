"""Options, inputs and output forms that several commands share."""
