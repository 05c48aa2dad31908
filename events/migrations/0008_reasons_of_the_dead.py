from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from events.reasons import reason_of_text

CHUNK = 500  # rows at a time, each time a transaction of its own


def give_reasons(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Events that died before there were reasons get theirs of their last error. May be killed and run again."""
    events = apps.get_model("events", "Event").objects.using(schema_editor.connection.alias)
    last = 0
    while dead := list(events.filter(state=2, id__gt=last).order_by("id").only("id", "last_error")[:CHUNK]):
        for event in dead:
            event.reason = reason_of_text(event.last_error)
        events.bulk_update(dead, ["reason"])
        last = dead[-1].id


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0007_attempts_and_reasons")]

    operations = [migrations.RunPython(give_reasons, migrations.RunPython.noop)]
