"""Flat files of a small CosMx run, in the layouts of its versions."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

GENES = ["RAMP2", "HLA-DQB1/2", "CD83", "NegPrb1", "SystemControl2"]
SIZE = 4000  # pixels of a field's edge
SQUARE = np.array([[-20, -10], [20, -10], [20, 10], [-20, 10]])


@dataclass
class Run:
    """Numbers of a run, and the tables that are written of them."""

    n_per_field: int = 40
    fields: tuple[int, ...] = (7, 16)
    up: bool = False  # whether the slide's y points against the rows of a field
    um: float = 0.12
    seed: int = 0
    fov: np.ndarray = field(init=False)
    cell: np.ndarray = field(init=False)
    local: np.ndarray = field(init=False)
    corner: dict[int, np.ndarray] = field(init=False)
    counts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Draw the numbers."""
        rng = np.random.default_rng(self.seed)
        n = self.n_per_field * len(self.fields)
        self.fov = np.repeat(self.fields, self.n_per_field)
        self.cell = np.tile(np.arange(1, self.n_per_field + 1), len(self.fields))
        side = int(np.ceil(np.sqrt(self.n_per_field)))
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
        step = SIZE // side
        places = np.tile(grid[: self.n_per_field] * step + step // 2, (len(self.fields), 1))
        self.local = places + rng.integers(-step // 4, step // 4, (n, 2))
        self.corner = {
            fov: np.array([1000.0 + SIZE * i, 9000.0 + SIZE * i]) for i, fov in enumerate(self.fields)
        }
        self.counts = rng.poisson(2.0, (n, len(GENES)))

    def on_slide(self, fov: np.ndarray, local: np.ndarray) -> np.ndarray:
        """Give pixels of the slide for pixels of fields."""
        corners = np.array([self.corner[int(number)] for number in fov])
        return corners + local * (1, -1 if self.up else 1)

    @property
    def right_and_down(self) -> np.ndarray:
        """Where cells lie, x right and y down, in pixels."""
        return self.on_slide(self.fov, self.local) * (1, -1 if self.up else 1)

    def expression(self, *, outside: bool = True) -> pd.DataFrame:
        """Give counts, with a row of cell 0 for each field where ``outside``."""
        table = pd.DataFrame(self.counts, columns=GENES)
        table.insert(0, "fov", self.fov)
        table.insert(1, "cell_ID", self.cell)
        if not outside:
            return table
        zero = pd.DataFrame(
            [[fov, 0, *[100 + fov] * len(GENES)] for fov in self.fields], columns=table.columns
        )
        return pd.concat([zero, table], ignore_index=True).sort_values(["fov", "cell_ID"])

    def metadata(self) -> pd.DataFrame:
        """Give the table of cells."""
        on_slide = self.on_slide(self.fov, self.local)
        return pd.DataFrame(
            {
                "fov": self.fov,
                "cell_ID": self.cell,
                "Area": 1000 + np.arange(len(self.fov)),
                "CenterX_local_px": self.local[:, 0],
                "CenterY_local_px": self.local[:, 1],
                "CenterX_global_px": on_slide[:, 0],
                "CenterY_global_px": on_slide[:, 1],
                "Mean.DAPI": 0.5 + np.arange(len(self.fov)),
            }
        )

    def positions(self) -> pd.DataFrame:
        """Give the corners of fields."""
        corners = np.array([self.corner[fov] for fov in self.fields])
        return pd.DataFrame({"fov": self.fields, "x_global_px": corners[:, 0], "y_global_px": corners[:, 1]})

    def polygons(self) -> pd.DataFrame:
        """Give corners of a box around each cell."""
        local = (self.local[:, None] + SQUARE).reshape(-1, 2)
        fov, cell = np.repeat(self.fov, len(SQUARE)), np.repeat(self.cell, len(SQUARE))
        on_slide = self.on_slide(fov, local)
        return pd.DataFrame(
            {
                "fov": fov,
                "cellID": cell,
                "x_local_px": local[:, 0],
                "y_local_px": local[:, 1],
                "x_global_px": on_slide[:, 0],
                "y_global_px": on_slide[:, 1],
            }
        )

    def transcripts(self, per_cell: int = 5, seed: int = 1) -> pd.DataFrame:
        """Give transcripts within the box of each cell, and as many outside of cells."""
        rng = np.random.default_rng(seed)
        n = per_cell * len(self.fov)
        inside = np.repeat(self.local, per_cell, axis=0) + rng.uniform(-1, 1, (n, 2)) * SQUARE[2]
        local = np.concatenate([inside, rng.uniform(0, SIZE, (n, 2))])
        fov = np.tile(np.repeat(self.fov, per_cell), 2)
        on_slide = self.on_slide(fov, local)
        return pd.DataFrame(
            {
                "fov": fov,
                "cell_ID": np.concatenate([np.repeat(self.cell, per_cell), np.zeros(n, int)]),
                "x_global_px": on_slide[:, 0],
                "y_global_px": on_slide[:, 1],
                "x_local_px": local[:, 0],
                "y_local_px": local[:, 1],
                "z": 0,
                "target": rng.choice(GENES, 2 * n),
                "CellComp": ["Nuclear"] * n + ["None"] * n,
            }
        )


def with_mm(positions: pd.DataFrame, um: float) -> pd.DataFrame:
    """Give positions of fields in millimetres too, under the name that new versions give the field."""
    more = {f"{axis}_global_mm": positions[f"{axis}_global_px"] * um / 1000 for axis in "xy"}
    return positions.assign(**more).rename(columns={"fov": "FOV"})


def write(folder: Path, prefix: str = "S1_", ending: str = ".csv", **tables: pd.DataFrame) -> Path:
    """Write tables by the names of their files: ``exprMat_file``, ``metadata_file``, ..., ``polygons``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        text = table.to_csv(index=False).encode()
        own = prefix.rstrip("_") + "-" if name == "polygons" and prefix else prefix
        path = folder / f"{own}{name}{ending}"
        path.write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    return folder


def write_run(run: Run, folder: Path, prefix: str = "S1_", ending: str = ".csv") -> Path:
    """Write all tables of a run."""
    return write(
        folder,
        prefix,
        ending,
        exprMat_file=run.expression(),
        metadata_file=run.metadata(),
        fov_positions_file=run.positions(),
        polygons=run.polygons(),
    )
