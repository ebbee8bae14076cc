"""Where what lies of a library: below one folder, with the database that knows of it."""

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from squint.errors import InputError
from squint.files import telling_if_full, why_refused
from squint.library import identity, section, staging
from squint.library.access import Access, changing
from squint.library.database import database
from squint.library.records import SectionRow
from squint.library.staging import ABANDONED_S
from squint.library.stored import StoredFiles


class Folders:
    """The folders of a library, its stored files and its database.

    Raises
    ------
    InputError
        If the folder cannot be used, or is not the one that the database knows of.
    """

    access = Access()

    def __init__(self, home: Path) -> None:
        self.home = home
        identity.check_folder(home)
        for folder in (
            self.sections_folder,
            self.staging,
            self.uploads,
            self.results,
            self.models,
            self.originals,
            self.gene_sets_folder,
            self.cell_sets_folder,
        ):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"The library folder {home} cannot be used: {why_refused(error)}. "
                    "Set SQUINT_HOME to a folder that can be written."
                ) from error
        self.database = database(home)
        identity.check(home, self.database)
        self.files = StoredFiles(home, self.database)

    def __eq__(self, other: object) -> bool:
        """Say whether this is the same library, whoever may do what in it."""
        return isinstance(other, Folders) and (self.home, self.database) == (other.home, other.database)

    def __hash__(self) -> int:
        return hash((self.home, self.database))

    def for_access(self, access: Access) -> Self:
        """Give the same library to somebody who may not do everything in it."""
        given = copy.copy(self)
        given.access = access
        return given

    @property
    def sections_folder(self) -> Path:
        """Folder of the sections."""
        return self.home / "sections"

    @property
    def staging(self) -> Path:
        """Folder of what is not kept yet; nobody minds if it vanishes."""
        return self.home / staging.STAGING

    @property
    def uploads(self) -> Path:
        """Folder of what users gave and is not kept yet, of which nobody came back to some."""
        return self.home / staging.UPLOADS

    @property
    def results(self) -> Path:
        """Folder of what was computed over several sections."""
        return self.home / "results"

    @property
    def originals(self) -> Path:
        """Folder of what was uploaded, as it was."""
        return self.home / "originals"

    @property
    def gene_sets_folder(self) -> Path:
        """Folder of the gene sets that users added."""
        return self.home / "gene_sets"

    @property
    def cell_sets_folder(self) -> Path:
        """Folder of the history of cell sets; their cells lie in the folders of the sections."""
        return self.home / "cell_sets"

    @property
    def models(self) -> Path:
        """Folder of the models that were trained here."""
        return self.home / "models"

    def folder(self, section_id: str) -> Path:
        """Return the folder of a section; ids are hexadecimal, so it cannot lead elsewhere."""
        if not section_id or set(section_id) - set("0123456789abcdef"):
            raise InputError("There is no such section.")
        return self.sections_folder / section_id

    def why_damaged(self, row: SectionRow) -> str:
        """Say what of a section is damaged; nothing if it is as it was kept."""
        return section.why_damaged(row, is_there=(self.sections_folder / row.id).is_dir())

    def sweep(self, older_than_s: float = ABANDONED_S) -> None:
        """Remove what dead processes left unfinished, and what nobody came back to for so long."""
        staging.sweep(self.home, older_than_s)

    def unstage(self, staged: Path) -> None:
        """Remove a staged file or folder, or an upload that no other session uses."""
        staging.unstage(self.home, staged)

    def workspace(self) -> Path:
        """Make an empty folder for something that will be kept or served, and then vanish."""
        try:
            return staging.workspace(self.home)
        except OSError as error:
            raise InputError(
                f"The library folder {self.home} cannot be written: {why_refused(error)}."
            ) from error

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give an empty folder for something that will be kept; it is gone at the end of the block.

        Raises
        ------
        InputError
            If the disk is full.
        """
        with self.handed_out() as folder:
            yield folder
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def handed_out(self) -> Iterator[Path]:
        """Give an empty folder for something that will be served; it stays, unless anything is raised.

        Raises
        ------
        InputError
            If the disk is full.
        """
        folder = self.workspace()
        try:
            with telling_if_full():
                yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @changing
    def upload_folder(self) -> Path:
        """Make an empty folder for something that a user gave; it outlives this process."""
        return staging.upload_folder(self.home)
