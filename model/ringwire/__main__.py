"""``python -m ringwire`` is the ``ringwire`` command."""

from ringwire.cli import main

main()
