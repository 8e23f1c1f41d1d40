"""Measurements: ``python -m bench`` runs them all, prints the table and writes ``build/bench.json``.

A module here measures one thing; its ``rows()`` yields what it found. What is compiled is what is measured.
"""

import os

# the testbenches that the measurements use would ask for Python
os.environ.setdefault("RINGWIRE_COMPILED", "")
