import django.db.models.deletion
import django.utils.timezone
import events.models.fields
import uuid
from django.conf import settings
from django.db import migrations, models
from pathlib import Path


def complete_schema(apps, schema_editor):
    """Run the file of this migration for the database."""
    statements = Path(__file__).with_suffix(f".{schema_editor.connection.vendor}.sql")
    schema_editor.execute(statements.read_text(), params=None)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('key', events.models.fields.KeyField(default=None, editable=False)),
                ('version', events.models.fields.VersionField(default=None, editable=False)),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('occurred_at', models.DateTimeField(blank=True, null=True)),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('digest', events.models.fields.DigestField(default='', editable=False)),
                ('priority', models.SmallIntegerField(choices=[(0, 'low'), (1, 'normal'), (2, 'high'), (3, 'critical')], default=1)),
                ('event_type', models.CharField(max_length=100)),
                ('did', models.CharField(max_length=2048)),
                ('rev', models.CharField(blank=True, max_length=13, null=True)),
                ('payload', events.models.fields.PayloadField(default=dict)),
                ('request_id', models.CharField(blank=True, editable=False, help_text='of the HTTP request that sent it', max_length=64, null=True)),
                ('traceparent', models.CharField(blank=True, editable=False, help_text='of the same request, where it had one', max_length=55, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('number', models.SmallIntegerField(help_text="the event's attempts when it failed; they begin anew with a requeue")),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('worker', models.CharField(blank=True, default='', help_text='host and pid', max_length=300)),
                ('kind', models.CharField(help_text="the exception's type", max_length=200)),
                ('message', models.TextField(blank=True, default='')),
                ('trace', models.TextField(blank=True, default='')),
            ],
        ),
        migrations.CreateModel(
            name='Audit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('last_id', models.BigIntegerField(default=0, help_text='events up to this id were verified in the present pass')),
                ('found', models.IntegerField(default=0, help_text='faults found in the present pass')),
                ('faults', models.IntegerField(default=0, help_text='faults found in the last whole pass, or more in the present one')),
                ('examples', models.JSONField(default=list, help_text='ids of some events with faults')),
                ('completed_at', models.DateTimeField(blank=True, help_text='of the last whole pass', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('last_id', models.BigIntegerField(help_text='the highest of its ids', primary_key=True, serialize=False)),
                ('first_id', models.BigIntegerField(help_text='the lowest of its ids')),
                ('finished_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('worker', models.CharField(blank=True, default='', help_text='host and pid', max_length=300)),
                ('ids', events.models.fields.IdsField(help_text='null where there is only one', null=True)),
            ],
            options={
                'verbose_name_plural': 'batches',
            },
        ),
        migrations.CreateModel(
            name='BulkAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verb', models.CharField(choices=[('requeue', 'requeue'), ('discard', 'discard')], max_length=10)),
                ('filter', models.JSONField(default=dict, help_text='which letters: fields of events.dead_letters.Filter')),
                ('note', models.TextField(blank=True, default='')),
                ('asked_at', models.DateTimeField(help_text='letters that died later are not changed')),
                ('upto', models.BigIntegerField(help_text='the highest id of a dead letter when it was asked')),
                ('expected', models.IntegerField(help_text='letters that matched when it was asked, as far as they were counted')),
                ('cursor', models.BigIntegerField(default=0, help_text='letters up to this id were looked at')),
                ('changed', models.IntegerField(default=0, help_text='letters that it has changed')),
                ('state', models.SmallIntegerField(choices=[(0, 'running'), (1, 'finished'), (2, 'stopped')], default=0)),
                ('touched_at', models.DateTimeField(help_text='of its last batch', null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'permissions': [('stop_bulkaction', 'Can stop bulk actions')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Departed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('busy_seconds', models.FloatField(default=0)),
                ('available_seconds', models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Lane',
            fields=[
                ('id', models.SmallIntegerField(primary_key=True, serialize=False)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Latency',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(max_length=100)),
                ('priority', models.SmallIntegerField()),
                ('bucket', models.SmallIntegerField()),
                ('events', models.BigIntegerField(default=0)),
                ('seconds', models.FloatField(default=0, help_text='the sum of theirs')),
            ],
        ),
        migrations.CreateModel(
            name='Pending',
            fields=[
                ('pk', models.CompositePrimaryKey('key', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('key', models.BigIntegerField(help_text="of the event's DID")),
                ('id', models.BigIntegerField(help_text='of the event')),
                ('lane', models.SmallIntegerField()),
                ('priority', models.SmallIntegerField()),
                ('available_at', models.DateTimeField(help_text='from when it may be applied; null: since its receipt', null=True)),
                ('attempts', models.SmallIntegerField(db_default=0, default=0, help_text='attempts that failed')),
                ('crashes', models.SmallIntegerField(db_default=0, default=0, help_text='worker processes that died while it ran alone in them')),
                ('suspect', models.BooleanField(db_default=False, default=False)),
            ],
        ),
        migrations.CreateModel(
            name='Sample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.SmallIntegerField(help_text='seconds that a slot is long')),
                ('slot', models.BigIntegerField(help_text='seconds since 1970 by `step`, rounded down')),
                ('taken_at', models.DateTimeField(help_text="by the database's clock; in a coarse slot, of its last moment")),
                ('received', models.BigIntegerField(default=0, help_text='ids that the log has given: repeated events may be in it')),
                ('processed', models.BigIntegerField(default=0, help_text='events applied')),
                ('failed', models.BigIntegerField(default=0, help_text='attempts that failed')),
                ('latency', models.JSONField(default=list, help_text='events applied by bucket of events.latency')),
                ('ready', models.JSONField(default=list, help_text='pending events that may be applied, by priority from 0 on')),
                ('waiting', models.IntegerField(default=0, help_text='pending events that wait')),
                ('dead', models.IntegerField(default=0)),
                ('oldest_seconds', models.FloatField(default=0, help_text='since the receipt of the oldest ready event')),
                ('workers', models.SmallIntegerField(default=0, help_text='processes alive; in a coarse slot, the fewest')),
                ('seconds', models.FloatField(default=0, help_text='seconds that the database took for these figures')),
            ],
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('lane', models.SmallIntegerField(primary_key=True, serialize=False)),
                ('processed', models.BigIntegerField(default=0, help_text='events applied')),
                ('failed', models.BigIntegerField(default=0, help_text='attempts that failed')),
            ],
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.CharField(max_length=255)),
                ('pid', models.IntegerField()),
                ('process_started', models.FloatField(help_text='seconds since 1970, of the process: pids are used again')),
                ('started_at', models.DateTimeField()),
                ('heartbeat_at', models.DateTimeField()),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('died_at', models.DateTimeField(blank=True, null=True)),
                ('announced', models.JSONField(default=list, help_text='ids of the events in its batch, while the fleet is careful')),
                ('alone', models.BooleanField(default=False, help_text='the announced event is a suspect, alone in the process')),
                ('slots', models.SmallIntegerField(default=0, help_text='steps that it may run at once')),
                ('processed', models.BigIntegerField(default=0, help_text='events applied since it started')),
                ('failed', models.BigIntegerField(default=0, help_text='attempts that failed since it started')),
                ('busy_seconds', models.FloatField(default=0)),
                ('available_seconds', models.FloatField(default=0)),
                ('minute_processed', models.IntegerField(default=0, help_text='events applied in the last minute')),
                ('minute_busy', models.FloatField(default=0, help_text='busy seconds in the last minute')),
                ('minute_seconds', models.FloatField(default=0, help_text='how long this minute was')),
                ('minute_available', models.FloatField(default=0, help_text='available seconds in the last minute')),
                ('minute_latency', models.JSONField(default=list, help_text='events of the last minute by bucket of events.latency')),
                ('batches', models.JSONField(default=list, help_text='running at the heartbeat: events, lanes and seconds of each')),
                ('idle_seconds', models.FloatField(default=0, help_text='since it last made progress, at its heartbeat')),
                ('failing_lanes', models.JSONField(default=list, help_text='lanes whose batches keep failing, and by which error')),
                ('low_watermarks', models.JSONField(default=list, help_text='by priority: see events/worker/watermarks.py')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='EventState',
            fields=[
                ('event', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='status', serialize=False, to='events.event')),
                ('state', models.SmallIntegerField(choices=[(0, 'pending'), (1, 'done'), (2, 'dead'), (3, 'discarded'), (4, 'unknown')])),
                ('lane', models.SmallIntegerField()),
                ('attempts', models.SmallIntegerField()),
                ('crashes', models.SmallIntegerField()),
                ('suspect', models.BooleanField()),
                ('available_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('worker', models.CharField(max_length=300)),
                ('error', models.TextField()),
                ('reason', models.TextField()),
                ('note', models.TextField()),
            ],
            options={
                'db_table': 'events_state',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('event', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='dead_letter', serialize=False, to='events.event')),
                ('event_type', models.CharField(max_length=100)),
                ('did', models.CharField(max_length=2048)),
                ('reason', models.CharField(blank=True, default='', help_text='the error without what differs between events', max_length=200)),
                ('error', models.TextField(blank=True, default='')),
                ('attempts', models.SmallIntegerField(default=0, help_text='times that it was applied')),
                ('died_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('discarded_at', models.DateTimeField(blank=True, null=True)),
                ('note', models.TextField(blank=True, default='', help_text='why it was discarded')),
            ],
            options={
                'db_table': 'events_dead_letter',
                'permissions': [('requeue_deadletter', 'Can requeue dead letters'), ('edit_deadletter', 'Can edit and requeue dead letters'), ('discard_deadletter', 'Can discard dead letters')],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['key', 'id'], name='events_of_key'),
        ),
        migrations.AddConstraint(
            model_name='event',
            constraint=models.CheckConstraint(condition=models.Q(('priority__gte', 0), ('priority__lte', 3)), name='events_priority_known'),
        ),
        migrations.AddField(
            model_name='attempt',
            name='event',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='failures', to='events.event'),
        ),
        migrations.AddField(
            model_name='bulkaction',
            name='asked_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkaction',
            name='stopped_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='latency',
            constraint=models.UniqueConstraint(fields=('event_type', 'priority', 'bucket'), name='events_latency_bucket'),
        ),
        migrations.AddIndex(
            model_name='pending',
            index=models.Index(models.F('lane'), models.OrderBy(models.F('priority'), descending=True), models.F('id'), condition=models.Q(('available_at', None), ('suspect', False)), name='events_ready'),
        ),
        migrations.AddIndex(
            model_name='pending',
            index=models.Index(models.F('lane'), models.OrderBy(models.F('priority'), descending=True), models.F('available_at'), condition=models.Q(('available_at__isnull', False), ('suspect', False)), name='events_due'),
        ),
        migrations.AddIndex(
            model_name='pending',
            index=models.Index(condition=models.Q(('available_at__isnull', False), ('suspect', True), _connector='OR'), fields=['key', 'id'], name='events_blocked'),
        ),
        migrations.AddIndex(
            model_name='pending',
            index=models.Index(condition=models.Q(('suspect', True)), fields=['id'], name='events_suspects'),
        ),
        migrations.AddConstraint(
            model_name='sample',
            constraint=models.UniqueConstraint(fields=('step', 'slot'), name='events_sample_slot'),
        ),
        migrations.CreateModel(
            name='Pipeline',
            fields=[
            ],
            options={
                'verbose_name': 'pipeline',
                'verbose_name_plural': 'pipeline',
                'proxy': True,
                'default_permissions': ('view',),
                'indexes': [],
                'constraints': [],
            },
            bases=('events.sample',),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(models.OrderBy(models.F('event'), descending=True), condition=models.Q(('discarded_at', None)), name='events_dead'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('discarded_at', None)), fields=['-died_at', '-event'], name='events_dead_time'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('discarded_at', None)), fields=['reason', '-died_at', '-event'], name='events_dead_reason'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('discarded_at', None)), fields=['event_type', '-died_at', '-event'], name='events_dead_type'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('discarded_at', None)), fields=['did', '-died_at', '-event'], name='events_dead_did'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('discarded_at__isnull', False)), fields=['discarded_at'], name='events_discarded'),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['event', '-id'], name='events_attempt_of_event'),
        ),
        migrations.AddIndex(
            model_name='bulkaction',
            index=models.Index(condition=models.Q(('state', 0)), fields=['id'], name='events_bulk_running'),
        ),
        migrations.RunPython(complete_schema, migrations.RunPython.noop),
    ]
