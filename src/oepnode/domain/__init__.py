"""The rules of oepnode as pure functions: values in, values or errors out.

No I/O, clock, randomness, logging or async here. ``docs/spec/rules-v1.md`` is the source of every
byte; each module names its section.
"""
