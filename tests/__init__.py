"""Tests look inside the model, so it is the Python files that they run, whatever is compiled."""

import os

os.environ.setdefault("RINGWIRE_COMPILED", "0")
