"""The ``tc`` side of action kinds, one file each."""
