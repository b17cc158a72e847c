"""Methods of the family `optimize`."""
