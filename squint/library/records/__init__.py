"""What the library knows, as rows: one class a table, the same on SQLite and PostgreSQL.

Files lie below the library's folder; every one of them has a row with its hash, so that what was damaged is
noticed. A row that says what a section is has a hash of its own (:class:`Checked`): a bit that flips in the
database's file is noticed as well. Users, projects and shares are rows of the server's first library alone.

One module a subject; all of them are had from here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
