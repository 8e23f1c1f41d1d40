"""Disciplines over a device in any world, judged by the wire's own time stamps. Times in nanoseconds."""
