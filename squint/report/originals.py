"""Sections read anew of the originals that a recipe names by their hashes."""

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from squint import keys
from squint.errors import InputError
from squint.io.facts import Settled
from squint.library import adding, ingest, originals
from squint.library.naming import ENDINGS
from squint.library.staging import RESERVE
from squint.model.section_hash import section_sha256
from squint.pp import QualityFilter
from squint.report.pieces import Piece, labels_sha256
from squint.report.reading import answers_of
from squint.report.recipe import SectionRecord

Say = Callable[[float, str], None]
_DEEPEST = 2  # folders below one that was given, as in a library's originals
_SHOWN = 12  # digits of a hash


@dataclass
class Originals:
    """Files and folders that were given as originals; each is hashed once."""

    paths: Sequence[Path]
    hashes: dict[Path, str] = field(default_factory=dict)

    def find(self, wanted: Collection[str]) -> Mapping[str, Path]:
        """Give the originals of some hashes: what was given, or lies in a folder that was.

        Raises
        ------
        InputError
            If nothing is where one should be, or it cannot be read.
        """
        for path in self.paths:
            if not path.exists():
                raise InputError(f"There is no original {path}.")
            self._look(path, wanted, _DEEPEST)
        return {sha256: path for path, sha256 in self.hashes.items() if sha256 in wanted}

    def _look(self, path: Path, wanted: Collection[str], deep: int) -> None:
        if path not in self.hashes:
            self.hashes[path] = originals.sha256_of(path)
        if path.is_dir() and deep and self.hashes[path] not in wanted:
            for below in sorted(path.iterdir()):
                if not below.name.startswith(".") and (below.is_dir() or below.suffix.lower() in ENDINGS):
                    self._look(below, wanted, deep - 1)


def read_pieces(records: Iterable[SectionRecord], given: Originals, say: Say) -> dict[str, Piece]:
    """Read sections of a recipe of originals.

    Parameters
    ----------
    records
        Of the recipe.
    given
        The originals.
    say
        Is told what is read.

    Returns
    -------
    Each section by its hash; those whose original is not among the given ones are left out.

    Raises
    ------
    InputError
        If an original does not give the section that the recipe names.
    """
    records, pieces = list(records), dict[str, Piece]()
    found = given.find({record.original for record in records})
    for record in records:
        say(0, f"reading section {record.name}")
        if record.original in found:
            pieces[record.sha256] = _read(record, found[record.original])
        elif not record.original:  # as of a sample: it is known by what it holds
            for path in filter(Path.is_file, given.hashes):
                piece = _try(record, path)
                if piece is not None:
                    pieces[record.sha256] = piece
                    break
    return pieces


def missing(record: SectionRecord, given: Originals) -> InputError:
    """Say that the original of a section is not among those given, and what these are."""
    found = [f"{path.name} has {sha256[:_SHOWN]}" for path, sha256 in given.hashes.items()]
    wanted = f"sha256 {record.original[:_SHOWN]}" if record.original else "a file that holds it"
    here = f" Given: {', '.join(found[:5])}{' ...' if len(found) > 5 else ''}." if found else ""
    return InputError(
        f"The original of section {record.name} ({wanted}) is not among the originals given: it was changed, "
        f"or is another.{here}"
    )


def _try(record: SectionRecord, path: Path) -> Piece | None:
    """Read a section of a file of which the recipe knows no hash; ``None`` if it holds another."""
    try:
        return _read(record, path)
    except InputError:
        return None


def _read(record: SectionRecord, path: Path) -> Piece:
    with TemporaryDirectory(prefix="squint-") as folder:
        staged = Path(folder) / f"section{path.suffix if path.suffix.lower() in (*ENDINGS, '.zarr') else ''}"
        staged.symlink_to(path.resolve())
        room = max(0, shutil.disk_usage(folder).free - RESERVE)
        settled = adding.read(
            adding.unpacked(staged, room, _nothing), answers_of(record.answers, record.name)
        )
        if record.original:
            made = _make(record, settled, record.part)
        else:  # which part it was is not known either
            n_parts = len(_names(settled))
            made = next((one for i in range(n_parts) if (one := _make(record, settled, i))), None)
    if made is None:
        raise _another(record, path)
    return made


def _make(record: SectionRecord, settled: Settled, part: int) -> Piece | None:
    """Make a section of a part of its original; ``None`` if it is not the one of the recipe."""
    names = _names(settled)
    if part >= len(names):
        return None
    known: Any = settled.adata.obs.get(keys.PATIENT)
    patients = [] if known is None else [str(one) for one in known.dropna().unique()]
    labels = ingest.Labels(
        dict.fromkeys(["", *patients], record.patient),
        {names[part]: record.section},
        record.organ,
        record.assay,
    )
    clean, rings = next(islice(adding.clean_parts(settled, labels), part, None))
    adata, _, whole = ingest.leave_out(clean, rings, QualityFilter(**record.quality))
    if section_sha256(adata) != record.sha256 or labels_sha256(adata) != record.labels_sha256:
        return None
    adata.uns[keys.PROVENANCE]["unit"] = record.unit
    left_out = ""
    if whole is not None:
        n_cells = whole.adata.n_obs - adata.n_obs
        words = ", ".join(whole.quality.words().values())
        left_out = f"{n_cells:,} cell{'' if n_cells == 1 else 's'} left out: {words}"
    return Piece(record, adata.copy(), left_out)


def _names(settled: Settled) -> list[str]:
    names: Any = settled.adata.obs[keys.SECTION]
    return [str(name) for name in names.cat.categories]


def _another(record: SectionRecord, path: Path) -> InputError:
    return InputError(
        f"{path.name} does not give section {record.name} as the recipe knows it (sha256 "
        f"{record.sha256[:_SHOWN]}): its cells, genes or labels are others."
    )


def _nothing(_: float, __: str) -> None:
    """Say nothing."""
