"""What is fixed between the service and those who ask it: the size of an image, the digits, and what is too much."""

SIDE = 28  # pixels of an image, along each axis
CLASSES = 10  # the digits
MAX_BATCH = 1000  # images of one request
MAX_BODY_BYTES = 10_000_000
MAX_HEADER_BYTES = 64_000
BODY_DEADLINE_S = 20.0  # for a request's body to arrive
JPEG_PIXELS = 25_000_000  # of the largest image of any format
