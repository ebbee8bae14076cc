"""What alembic runs: the migrations, on the connection that it is given."""

from alembic import context

from squint.library.records import Record

context.configure(connection=context.config.attributes["connection"], target_metadata=Record.metadata)
context.run_migrations()
