"""ringwire: a NIC's transmit path, from the socket to the wire, that you can experiment on."""

__version__ = "0.1.0"
