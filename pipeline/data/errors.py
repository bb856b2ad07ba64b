"""What the data stages raise when the data, a mirror or the disk is not as it must be."""


class DataError(Exception):
    """The message names the file and the value, what was expected, and what to do."""
