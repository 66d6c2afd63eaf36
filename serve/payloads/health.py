"""The shapes of the health answers; knows no route."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether the service is alive or ready."""

    status: Literal["ok", "unavailable"]
    detail: str = ""


class Dependency(BaseModel):
    """One thing that the service needs."""

    name: str
    state: Literal["up", "down"]
    latency_ms: float = Field(description="Time of one question, connecting included.")
    detail: str


class Dependencies(BaseModel):
    """Everything that the service needs; `ok` when all of it is up."""

    status: Literal["ok", "unavailable"]
    dependencies: list[Dependency]
