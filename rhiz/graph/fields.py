"""The two kinds of column that the graph's tables have beside Django's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from rhiz.graph.record_key import key_of


class IdentifierField(models.TextField):
    """A DID or a CID: text that PostgreSQL compares by its bytes.

    A language's collation costs several times as much in an index and means nothing for an identifier. SQLite
    compares by bytes anyway.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters: Any = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class KeyField(models.UUIDField):
    """The key of the identifier in the field `source`, filled at every save; None where that is empty."""

    def __init__(self, *args: Any, source: str, **kwargs: Any) -> None:
        self.source = source
        super().__init__(*args, **{"editable": False, "blank": True, **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "source": self.source}

    def derive(self, instance: models.Model) -> UUID | None:
        """The key that `instance` must be stored under."""
        identifier = getattr(instance, self.source)
        return key_of(identifier) if identifier else None

    def pre_save(self, model_instance: models.Model, add: bool) -> UUID | None:
        key = self.derive(model_instance)
        setattr(model_instance, self.attname, key)
        return key

    def get_pk_value_on_save(self, instance: models.Model) -> UUID | None:
        return self.derive(instance)
