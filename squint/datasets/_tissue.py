"""A patient's block of kidney: what there is at any position in three dimensions.

Everything is a function of (x, y, z) in um, so a section is what a plane cuts out of it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from squint.datasets import _tubules
from squint.datasets._anatomy import CAPSULE, COMPARTMENTS, GAP, RADIUS, REGIONS, RIM, TUBULES, WALL, Patient
from squint.datasets._points import Floats, SmoothNoise, scatter


class Place(NamedTuple):
    """What there is at n positions."""

    compartment: NDArray[np.intp]  # (n,), index into COMPARTMENTS
    region: NDArray[np.intp]  # (n,), index into REGIONS
    to_tumour: Floats  # (n,), um to the tumour's edge, negative inside
    hypoxia: Floats  # (n,), 0 to 1
    course: Floats  # (n,), 0 to 1: from the early to the late proximal tubule
    crowding: Floats  # (n,), factor of the density


class _Cortex(NamedTuple):
    compartment: NDArray[np.intp]
    fibrous: NDArray[np.bool_]


class Block:
    """A patient's block of tissue.

    Parameters
    ----------
    patient
        What to build.
    rng
        Source of chance.
    """

    def __init__(self, patient: Patient, rng: np.random.Generator) -> None:
        self.patient = patient
        windows = patient.windows + patient.stack
        self._low = np.min([window.low for window in windows], axis=0) - 60
        self._high = np.max([window.high for window in windows], axis=0) + 60
        self._edge, self._border, self._breach = (SmoothNoise(length, rng) for length in (170, 45, 90))
        self._core_edge, self._dead = SmoothNoise(80, rng), SmoothNoise(40, rng)
        self._bend, self._distal, self._fibrous = (SmoothNoise(length, rng) for length in (260, 150, 110))
        self._course = SmoothNoise(180, rng)
        self._warp = [SmoothNoise(70, rng) for _ in range(3)]
        self._place_vessels(rng)
        self._place_glomeruli(rng)
        self._place_tubules(rng)
        self._nests = scatter(
            lambda p: (self.to_tumour(p) < 90).astype(float), self._low, self._high, 42.0, rng
        )
        self._nest_tree = _tubules.Tubules(self._nests[:, None])
        self._place_follicles(rng)

    # --- where things are ------------------------------------------------------------------------------

    def to_tumour(self, positions: Floats) -> Floats:
        """Give the distance (n,) in um to the tumour's wavy edge, negative inside."""
        scaled = (positions - [0, 0, self.patient.tumour_z]) / self.patient.semi_axes
        radius = np.linalg.norm(scaled, axis=1) + 1e-9
        slope = np.linalg.norm(scaled / self.patient.semi_axes, axis=1) + 1e-9
        smooth = radius * (radius - 1) / slope
        waves = 30 * self._edge(positions)
        if self.patient.aggressive:
            waves += 14 * self._border(positions)
        return np.asarray(smooth + waves)

    def _in_ray(self, positions: Floats) -> NDArray[np.bool_]:
        across = positions[:, 0] + 40 * self._bend(positions)
        return np.asarray(np.abs(across % 560 - 280) < 68)

    def _place_vessels(self, rng: np.random.Generator) -> None:
        area = np.prod((self._high - self._low)[:2])
        n_vessels = round(3.5e-6 * area)
        self._vessel_at = rng.uniform(self._low, self._high, (n_vessels, 3))
        along = rng.normal(size=(n_vessels, 3)) * [0.5, 0.5, 0] + [0, 0, 1]
        self._vessel_along = along / np.linalg.norm(along, axis=1, keepdims=True)
        self._vessel_radius = rng.uniform(38, 66, n_vessels)

    def _nearest_vessel(self, positions: Floats) -> tuple[Floats, Floats]:
        offset = positions[:, None] - self._vessel_at  # (n, vessels, 3)
        along = (offset * self._vessel_along).sum(axis=2)
        distance = np.linalg.norm(offset - along[..., None] * self._vessel_along, axis=2)
        nearest = (distance - self._vessel_radius).argmin(axis=1)
        return distance[np.arange(len(positions)), nearest], self._vessel_radius[nearest]

    def _place_glomeruli(self, rng: np.random.Generator) -> None:
        def density(positions: Floats) -> Floats:
            distance, radius = self._nearest_vessel(positions)
            free = (self.to_tumour(positions) > 155) & ~self._in_ray(positions) & (distance > radius + 90)
            return free.astype(float)

        self._glomeruli = scatter(density, self._low, self._high, 190.0, rng)
        self._glomerulus_radius = rng.uniform(80, 100, len(self._glomeruli))

    def _nearest_glomerulus(self, positions: Floats) -> tuple[Floats, Floats]:
        near = _tubules.Tubules(self._glomeruli[:, None]).nearest(positions)
        return near.distance, self._glomerulus_radius[near.curve]

    def _place_tubules(self, rng: np.random.Generator) -> None:
        volume = np.prod(self._high - self._low)
        length = _tubules.STEP * _tubules.N_STEPS
        starts = rng.uniform(self._low, self._high, (int(volume / (0.8 * _tubules.PITCH**2 * length)), 3))
        starts = starts[self.to_tumour(starts) > -20]
        rays = self._in_ray(starts)
        axis = np.array([0.1, 0.985, 0.14])
        starts[rays] -= 0.5 * length * axis  # so that its middle stays in the ray
        points = _tubules.grow(starts, rays, axis / np.linalg.norm(axis), rng)
        self._tubules = _tubules.Tubules(points)
        chance = rng.random(len(points))
        in_ray = np.select([chance < 0.45, chance < 0.8], [3, 2], 0)
        distal = np.where(self._distal(self._tubules.middles) > 0.6, 0.72, 0.1)
        self._kind = np.where(rays, in_ray, np.where(chance < distal, 1, 0))  # (curves,), index into TUBULES

    def _place_follicles(self, rng: np.random.Generator) -> None:
        centres = []
        for window in self.patient.windows + self.patient.stack[6:7]:
            inset = np.array([90.0, 90.0, 0.0])  # um, so that the whole of it lies in the window
            inner = rng.uniform(window.low + inset, window.high - inset, (4000, 3))
            outside = inner[np.abs(self.to_tumour(inner) - CAPSULE - 40) < 15]
            centres.append(outside[0])
            apart = np.linalg.norm(outside - outside[0], axis=1) > 350
            centres.extend(outside[apart][:1])
        self._follicles = np.array(centres)
        self._follicle_radius = rng.uniform(70, 95, len(centres))

    # --- what a position is ----------------------------------------------------------------------------

    def at(self, positions: Floats) -> Place:
        """Say what there is at positions (n, 3)."""
        to_tumour = self.to_tumour(positions)
        warped = positions + 7 * np.stack([noise(positions) for noise in self._warp], axis=1)
        cortex = self._cortex(positions)
        compartment, region = cortex.compartment, self._cortex_region(positions, cortex.fibrous)
        self._paint_vessels(warped, compartment, region)
        self._paint_glomeruli(warped, compartment, region)
        into_core = self._paint_tumour(positions, warped, to_tumour, compartment, region)
        hypoxia = np.clip(into_core / RIM, 0, 1)
        lamellae = 0.6 + 0.4 * np.cos(2 * np.pi * to_tumour / 12)
        return Place(
            compartment,
            region,
            to_tumour,
            hypoxia,
            course=1 / (1 + np.exp(-2 * self._course(positions))),
            crowding=np.where(compartment == COMPARTMENTS.index("capsule"), lamellae, 1.0),
        )

    def _cortex(self, positions: Floats) -> _Cortex:
        fibrous = (self._fibrous(positions) > 1.15) & ~self._in_ray(positions)
        near = self._tubules.nearest(positions)
        kind = self._kind[near.curve]
        radius = np.where(fibrous, 0.6, 1.0) * RADIUS[kind]  # tubules in fibrous stroma are atrophic
        into_wall = np.minimum(near.margin - np.where(fibrous, 2, 1) * GAP, radius - near.distance)
        wall = np.array([COMPARTMENTS.index(name) for name in TUBULES])[kind]
        between = np.where(fibrous, COMPARTMENTS.index("stroma"), COMPARTMENTS.index("interstitium"))
        inside = np.where(into_wall < WALL[kind], wall, COMPARTMENTS.index("lumen"))
        return _Cortex(np.where(into_wall < 0, between, inside), fibrous)

    def _cortex_region(self, positions: Floats, fibrous: NDArray[np.bool_]) -> NDArray[np.intp]:
        names = ["stroma", "medullary ray", "distal cortex"]
        masks = [fibrous, self._in_ray(positions), self._distal(positions) > 0.6]
        return np.select(masks, [REGIONS.index(name) for name in names], REGIONS.index("proximal cortex"))

    def _paint_vessels(self, warped: Floats, compartment: NDArray[np.intp], region: NDArray[np.intp]) -> None:
        distance, radius = self._nearest_vessel(warped)
        inner = 0.5 * radius
        _paint(compartment, distance < radius + 16, "adventitia")
        _paint(compartment, distance < radius, "vessel wall")
        _paint(compartment, distance < inner + 6, "vessel lining")
        _paint(compartment, distance < inner, "lumen")
        region[distance < radius + 16] = REGIONS.index("vessel")

    def _paint_glomeruli(
        self, warped: Floats, compartment: NDArray[np.intp], region: NDArray[np.intp]
    ) -> None:
        distance, radius = self._nearest_glomerulus(warped)
        _paint(compartment, distance < radius + 3, "interstitium")
        _paint(compartment, distance < radius, "parietal layer")
        _paint(compartment, distance < radius - 7, "lumen")
        _paint(compartment, distance < radius - 15, "tuft rim")
        _paint(compartment, distance < 0.6 * radius, "tuft centre")
        region[distance < radius] = REGIONS.index("glomerulus")

    def _paint_tumour(
        self,
        positions: Floats,
        warped: Floats,
        to_tumour: Floats,
        compartment: NDArray[np.intp],
        region: NDArray[np.intp],
    ) -> Floats:
        """Paint tumour, capsule and lymphoid structures; give the depth (n,) in um inside the core."""
        near = self._nest_tree.nearest(positions)
        septum = near.margin < GAP
        breached = self.patient.aggressive & (self._breach(positions) > 0.9)
        tumour = to_tumour < np.where(breached, CAPSULE + 25, 0)
        capsule = (to_tumour < CAPSULE) & ~tumour
        _paint(compartment, capsule, "capsule")
        region[capsule] = REGIONS.index("capsule")
        self._paint_follicles(warped, compartment, region, outside=to_tumour > 0.5 * CAPSULE)
        _paint(compartment, tumour, "nest")
        _paint(compartment, tumour & septum, "septum")
        region[tumour] = REGIONS.index("tumour")
        if not self.patient.aggressive:
            return np.full(len(positions), -np.inf)
        margin = tumour & (to_tumour > -75)
        _paint(compartment, margin, "margin nest")
        _paint(compartment, margin & (near.margin < 2.5 * GAP), "margin septum")
        region[margin] = REGIONS.index("invasive margin")
        into_core = -185 - to_tumour + 25 * self._core_edge(positions)
        core = tumour & (into_core > 0)
        _paint(compartment, core, "core nest")
        _paint(compartment, core & septum, "core septum")
        _paint(compartment, core & (into_core > 90) & (self._dead(positions) > 1.2), "necrosis")
        region[core] = REGIONS.index("tumour core")
        return np.where(core, into_core, -np.inf)

    def _paint_follicles(
        self,
        warped: Floats,
        compartment: NDArray[np.intp],
        region: NDArray[np.intp],
        *,
        outside: NDArray[np.bool_],
    ) -> None:
        offset = warped[:, None] - self._follicles  # (n, follicles, 3)
        distance = (np.linalg.norm(offset / [1, 1, 1.6], axis=2) / self._follicle_radius).min(axis=1)
        _paint(compartment, (distance < 1) & outside, "T zone")
        _paint(compartment, (distance < 0.62) & outside, "follicle")
        region[(distance < 1) & outside] = REGIONS.index("tertiary lymphoid structure")


def _paint(compartment: NDArray[np.intp], mask: NDArray[np.bool_], name: str) -> None:
    compartment[mask] = COMPARTMENTS.index(name)
