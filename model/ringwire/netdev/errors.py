"""What a device says no with: an error number by its name, as Linux's interfaces return one."""

from __future__ import annotations

ERRNO_TEXT = {
    "E2BIG": "Argument list too long",
    "EACCES": "Permission denied",
    "EEXIST": "File exists",
    "EBUSY": "Device or resource busy",
    "EINVAL": "Invalid argument",
    "EISDIR": "Is a directory",
    "ELOOP": "Too many levels of symbolic links",
    "ENOMEM": "Cannot allocate memory",
    "ENODEV": "No such device",
    "ENOENT": "No such file or directory",
    "ENOSPC": "No space left on device",
    "EOPNOTSUPP": "Operation not supported",
    "EOVERFLOW": "Value too large for defined data type",
    "EPERM": "Operation not permitted",
    "ERANGE": "Numerical result out of range",
}
"""The words of strerror(3) in the C library of GNU, whatever system this runs on."""


class DeviceError(ValueError):
    """A setting that the stack, the driver or the device refuses; nothing has changed."""

    def __init__(self, errno: str, knob: str, allowed: str, message: str = "") -> None:
        """``message`` is what the kernel adds to the bare number (its extended acknowledgement), "" if nothing."""
        super().__init__(f"{knob}: {message or ERRNO_TEXT[errno]} (allowed: {allowed})")
        self.errno = errno
        self.knob = knob
        self.allowed = allowed
        self.message = message
