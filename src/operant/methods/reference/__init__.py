"""Methods of the family `reference`."""
