from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

ALTER = 'alter table events_event alter column did type varchar(2048) collate "C"'


def compare_by_bytes(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A DID is not language: comparing it by a locale's rules makes each index probe several times dearer.

    Here and not in the model, since other databases have no collation of this name.
    """
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ALTER)


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [migrations.RunPython(compare_by_bytes, migrations.RunPython.noop)]
