"""What alembic runs; the connection comes from ``hub.journal_migrations``."""

from alembic import context

from tieline.hub.journal_tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
