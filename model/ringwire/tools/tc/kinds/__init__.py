"""The ``tc`` side of kinds whose syntax is irregular, one file each or for each family."""
