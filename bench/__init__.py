"""Measurements: ``python -m bench`` runs them all, prints the table and writes ``build/bench.json``.

A module here measures one thing; its ``rows()`` yields what it found.
"""
