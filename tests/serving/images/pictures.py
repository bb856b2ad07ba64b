"""What the tests of the images share."""

import io

import numpy as np


def png(image, **options):
    """A picture's file: a PNG, or of another `format`."""
    buffer = io.BytesIO()
    image.save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def close(got, expected, by=1.5):
    """Equal but for a grey level, which conversions between modes may round away."""
    return np.abs(got - expected).max() <= by
