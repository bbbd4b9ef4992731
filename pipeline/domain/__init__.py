"""The core: what Unbroken decides, as pure functions of values.

Rule 1: no I/O, no clock, no randomness, no logging. "Now" is an argument.
Rule 2: values are frozen; a step returns new ones.
Rule 3: a finding is a value and all findings are collected; an exception means "could not find out".
Rule 4: three clocks, never mixed in one field: media time (integer ticks), the source's claim, our wall time.
Rule 5: later stages may read earlier types, never the reverse (held by import-linter).
"""
