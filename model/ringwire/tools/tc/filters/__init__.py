"""The ``tc`` side of filter kinds whose syntax is irregular, one file each."""
