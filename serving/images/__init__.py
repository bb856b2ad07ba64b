"""From an image file to the 28x28 pixels that the network knows: `decode` the bytes, `normalise` what they show."""

from serving.images.brightness import to_grey
from serving.images.decode import decode, is_small, read
from serving.images.formats import FORMATS, PNG, text_of
from serving.images.normalise import conforming, ink_box, normalise, normalise_all

__all__ = [
    "FORMATS",
    "PNG",
    "conforming",
    "decode",
    "ink_box",
    "is_small",
    "normalise",
    "normalise_all",
    "read",
    "text_of",
    "to_grey",
]
