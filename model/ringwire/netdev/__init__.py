"""Network devices and the transmit path of the stack, from dev_queue_xmit to the driver."""

from ringwire.netdev.device import Clock, Driver, NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.features import GSO_FEATURES, Feature
from ringwire.netdev.queue import TxQueue
from ringwire.netdev.xmit import NETDEV_TX_BUSY, NETDEV_TX_OK, dev_queue_xmit, reciprocal_scale

__all__ = [
    "GSO_FEATURES",
    "NETDEV_TX_BUSY",
    "NETDEV_TX_OK",
    "Clock",
    "DeviceError",
    "Driver",
    "Feature",
    "NetDevice",
    "TxQueue",
    "dev_queue_xmit",
    "reciprocal_scale",
]
