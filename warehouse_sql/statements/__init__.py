"""One SQL file per read, values bound and never formatted in; it opens no connection."""

from functools import cache
from importlib import resources


@cache
def statement(name: str) -> str:
    """Give the text of a statement.

    Args:
        name: Its path without `.sql`, for instance `sales/list`.

    Returns:
        SQL with `%(name)s` placeholders.
    """
    return resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
