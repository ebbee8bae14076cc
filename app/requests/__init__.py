"""What each task of the workers is asked: one frozen class a task, which pages make and tasks take.

One module a subject, under the names of those of `app.tasks` that do the work; all of them are had from here.
Imports nothing heavy, so that pages can ask.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
