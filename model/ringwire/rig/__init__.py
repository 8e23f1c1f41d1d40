"""A rig: a device with its stack and driver in a world of its own, to send packets through."""
