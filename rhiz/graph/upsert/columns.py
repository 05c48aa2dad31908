"""The table and columns of a model, as both dialects need them: the model is the one place that names them."""

from __future__ import annotations

from typing import NamedTuple

from rhiz.graph.models import Record


class Column(NamedTuple):
    name: str
    kind: str  # the class of the model's field that Django maps to the database, such as "TextField"


def columns(model: type[Record]) -> list[Column]:
    """The columns of `model`, the key first."""
    return [Column(str(field.column), field.get_internal_type()) for field in model._meta.concrete_fields]


def assignments(names: list[str]) -> str:
    """The SET clause of an upsert: everything of the newer row, so that nothing of the older remains."""
    return ", ".join(f"{name} = excluded.{name}" for name in names if name != "key")
