"""Scenarios of the data path: rings, fragments, the wire's schedule, speed, random mixtures."""
