"""Replays of recorded Linux behaviour: the model must agree in every operation and every field."""
