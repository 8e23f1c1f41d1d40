"""What a discipline, a class or a filter says no with: an error number and the kernel's words, if it has any."""

from __future__ import annotations


class QdiscError(ValueError):
    """A change that is refused; nothing has changed. ``errno`` is a name such as ``EINVAL``.

    ``message`` is what the kernel adds to the bare number (its extended acknowledgement), "" if it adds nothing.
    """

    def __init__(self, errno: str, message: str = "") -> None:
        super().__init__(message or errno)
        self.errno = errno
        self.message = message
