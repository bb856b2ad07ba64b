"""Numbers as the page words them."""

from decimal import ROUND_HALF_UP, Decimal


def fixed(number: float, digits: int = 0) -> str:
    """What JavaScript's ``toFixed`` makes of a number that is not negative: 0.5 becomes 1, of which Python makes 0."""
    return str(Decimal(float(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
