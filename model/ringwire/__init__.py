"""ringwire: a NIC's transmit path, from the socket to the wire, that you can experiment on."""

from ringwire import compiled

__version__ = "0.1.0"

compiled.use()
