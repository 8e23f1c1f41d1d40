"""Sources of packets. Each is a file of its own."""
