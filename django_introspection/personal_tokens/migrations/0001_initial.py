import django.core.validators
import django.db.models.deletion
import django_introspection.models.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("introspection", "0007_encrypted_answers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PersonalToken",
            fields=[
                (
                    "token",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="introspection.token",
                        verbose_name="token",
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "description",
                    models.TextField(
                        blank=True,
                        validators=[django.core.validators.MaxLengthValidator(1000)],
                        verbose_name="description",
                    ),
                ),
                ("networks", models.JSONField(blank=True, default=list, verbose_name="networks")),
                (
                    "last_used_at",
                    django_introspection.models.fields.InstantField(blank=True, null=True, verbose_name="last used"),
                ),
                (
                    "rotated_at",
                    django_introspection.models.fields.InstantField(blank=True, null=True, verbose_name="rotated"),
                ),
                ("noticed_days", models.PositiveIntegerField(blank=True, editable=False, null=True)),
                ("expires_at", django_introspection.models.fields.InstantField(db_index=True, verbose_name="expires")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "personal token",
                "verbose_name_plural": "personal tokens",
            },
        ),
    ]
