"""Amounts as Kubernetes writes them, `500m`, `8Gi`: read exactly; knows no resource's name."""

import re
from decimal import Decimal

UNITS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]{0,2})")


def amount(quantity: object) -> Decimal:
    """Read a quantity of Kubernetes.

    Args:
        quantity: `500m`, `8Gi`, `2`; a number is taken as it is.

    Returns:
        CPUs, bytes or pieces.

    Raises:
        ValueError: It is no quantity.
    """
    match = QUANTITY.fullmatch(str(quantity))
    if not match or match[2] not in UNITS:
        message = f"{quantity!r} is no quantity of Kubernetes"
        raise ValueError(message)
    return Decimal(match[1]) * UNITS[match[2]]
