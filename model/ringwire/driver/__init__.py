"""What drives the device: the narrow port a driver uses, and ringwire's own driver."""
