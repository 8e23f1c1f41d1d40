"""Scenarios of the control path: completions, interrupts, errors, resets, fairness, registers, and the twin."""
