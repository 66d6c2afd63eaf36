"""The column types that several tables share; knows no table."""

from sqlalchemy import ARRAY, BigInteger, Date, DateTime, Integer, Numeric, SmallInteger, Text, Uuid

PRICE = Numeric(12, 4)
"""Money per unit; real prices have three decimals, so two would lose pennies."""
AMOUNT = Numeric(14, 4)
"""Money of a line."""
ANY_AMOUNT = Numeric(38, 4)
"""Money of a line that was refused, possibly because it is out of range."""
TOTAL = Numeric(20, 4)
"""Money summed over many lines."""
MEASURE = Numeric(24, 10)
"""A ratio of counts, such as a lift."""
SCORE = Numeric(3, 2)
"""A score from 0 to 1."""
KEY = BigInteger()
COUNT = BigInteger()
INTEGER = Integer()
SMALL = SmallInteger()
TEXT = Text()
TEXTS = ARRAY(Text())
DAY = Date()
LOCAL_TIME = DateTime(timezone=False)
"""The shop's local time, without zone, to the second."""
INSTANT = DateTime(timezone=True)
UUID = Uuid(as_uuid=True)
"""128 bits; 16 bytes of binary in the lake, `uuid` in PostgreSQL."""
