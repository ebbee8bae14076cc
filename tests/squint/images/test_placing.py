"""Pictures: as tiles and windows, and where they lie."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from squint.errors import InputError
from squint.images import (
    TILE,
    Box,
    Picture,
    apply,
    compose,
    describe,
    fit_affine,
    invert,
    n_levels,
    open_image,
    render,
    show,
    tiles,
)
from squint.images.placing import scaling
from squint.pl import View
from tests.helpers.picture_files import HEIGHT, MARK, WIDTH, planted, write_pyramid


def test_one_channel_is_stretched_between_percentiles(tmp_path: Path) -> None:
    pixels = planted(1, "uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels[:, :, 0], tile=(128, 128))
    with open_image(tmp_path / "a.tif") as picture:
        shown = show(picture)
        low, high = np.percentile(pixels, (1, 99.8))
        assert shown.window == pytest.approx((low, high))
        got = shown.read(0, Box(0, 0, WIDTH, HEIGHT))
        expected = np.clip((pixels.astype(float) - low) / (high - low), 0, 1) * 255
        assert np.abs(got - expected).max() <= 0.51
        with pytest.raises(InputError, match="no channel 2"):
            show(picture, 1)


def test_12_bits_in_16_are_brightened_by_one_factor(tmp_path: Path) -> None:
    pixels = planted(3, "uint16")  # up to 4,000
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    with open_image(tmp_path / "a.tif") as picture:
        assert show(picture).window == (0.0, 4095.0)


def test_an_even_picture_is_black(tmp_path: Path) -> None:
    Image.new("L", (50, 40), 9).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as picture:
        assert not show(picture).read(0, Box(0, 0, 50, 40)).any()


@pytest.mark.parametrize("tile", [None, (64, 64), (1024, 1024), (240, 240)])
@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 700), (2_600, 1_111), (1_300, 3_000)])
def test_tiles_put_together_are_the_picture_at_every_level(tmp_path: Path, tile, size) -> None:
    height, width = size
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    if tile == (240, 240):
        tile = (240, 256)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", tile=tile, rowsperstrip=None if tile else 100
    )
    with open_image(tmp_path / "a.tif") as picture:
        cut = list(tiles(show(picture)))
    places = [(t.level, t.column, t.row) for t in cut]
    assert len(set(places)) == len(places)
    assert [t.done for t in cut] == sorted(t.done for t in cut)
    assert cut[-1].done == 1
    expected = pixels
    for level in range(n_levels(width, height)):
        out = np.zeros_like(expected)
        for t in (t for t in cut if t.level == level):
            left, top = t.column * TILE, t.row * TILE
            out[top : top + TILE, left : left + TILE] = t.pixels
        np.testing.assert_array_equal(out, expected)
        if level < n_levels(width, height) - 1:
            padded = np.pad(
                expected, ((0, expected.shape[0] % 2), (0, expected.shape[1] % 2), (0, 0)), mode="edge"
            )
            corners = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2, 3).astype(int)
            expected = ((corners.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)
    assert max(expected.shape[:2]) <= TILE


def sizes_of(picture: Picture) -> list[tuple[int, int]]:
    return [(level.width, level.height) for level in picture.levels]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("rotation", [0.0, 90.0, 33.0])
def test_a_mark_lands_where_it_was_planted(tmp_path: Path, rotation, flipped) -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    column, row = MARK
    pixels[row - 3 : row + 3, column - 3 : column + 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    affine = np.array([[0.5, 0.02, 1_000], [-0.03, 0.6, 2_000]])
    place = apply(affine, [MARK])[0]
    view = View(place[0] + 20, place[1] - 10, 300, aspect=0.5, rotation=rotation, flipped=flipped)
    with open_image(tmp_path / "a.png") as picture:
        drawn = render(show(picture).read, sizes_of(picture), affine, view, (600, 300))
    bright = drawn.pixels[:, :, 0].astype(float)
    rows, columns = np.mgrid[:300, :600] + 0.5
    found = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
    np.testing.assert_allclose(apply(drawn.affine, [found])[0], place, atol=0.1)
    np.testing.assert_allclose(found / 2, view.place(place[None])[0], atol=0.2)  # where the map draws a cell


def test_outside_is_transparent_and_a_coarse_view_reads_little(tmp_path: Path) -> None:
    pixels = np.full((4, 2_000, 2_400), 200, dtype=np.uint8)[:2]
    write_pyramid(tmp_path / "a.ome.tif", pixels)
    read = []
    with open_image(tmp_path / "a.ome.tif") as picture:
        shown = show(picture)

        def noted(level: int, box: Box) -> np.ndarray:
            read.append(level)
            return shown.read(level, box)

        drawn = render(noted, sizes_of(picture), scaling(1, 1), View(1_200, 1_000, 4_800, 1.0), (480, 480))
        away = render(noted, sizes_of(picture), scaling(1, 1), View(-9_000, 0, 100), (50, 50))
    assert read == [2]
    assert drawn.pixels[240, 240, 3] == 255
    assert drawn.pixels[5, 5, 3] == 0
    np.testing.assert_allclose((drawn.pixels[:, :, 3] > 0).mean(), 2_000 * 2_400 / 4_800**2, atol=0.01)
    assert not away.pixels.any()
    with pytest.raises(InputError, match="20,000"):
        render(noted, [(10, 10)], scaling(1, 1), View(0, 0, 10), (30_000, 10))


numbers = st.floats(-3, 3).filter(lambda value: abs(value) > 0.1)


@given(a=numbers, b=st.floats(-0.05, 0.05), d=st.floats(-0.05, 0.05), e=numbers, x=st.floats(-1e5, 1e5))
def test_landmarks_give_back_the_affine_that_moved_them(a, b, d, e, x) -> None:
    affine = np.array([[a, b, x], [d, e, -x]])
    pixels = np.array([[0, 0], [30_000, 100], [200, 20_000], [25_000, 24_000]], dtype=float)
    fit = fit_affine(pixels, apply(affine, pixels))
    np.testing.assert_allclose(fit.affine, affine, rtol=1e-6, atol=1e-5)
    assert fit.rmse < 1e-5
    assert fit.leave_one_out < 1e-4
    np.testing.assert_allclose(compose(invert(affine), affine), [[1, 0, 0], [0, 1, 0]], atol=1e-7)


def test_noise_of_landmarks_shows_in_the_residuals() -> None:
    rng = np.random.default_rng(0)
    affine = np.array([[0.49, 0.01, 500], [-0.012, 0.51, -40]])
    pixels = rng.uniform(0, 20_000, (40, 2))
    places = apply(affine, pixels) + rng.normal(0, 3, (40, 2))
    fit = fit_affine(pixels, places)
    assert np.abs(apply(fit.affine, pixels) - apply(affine, pixels)).max() < 4
    assert 3 < fit.rmse < 5.5  # sqrt(2) x 3, two of them
    assert fit.rmse < fit.leave_one_out < 6
    np.testing.assert_allclose(np.sqrt((fit.residuals**2).mean()), fit.rmse)


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_an_affine_does_is_said(mirrored) -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([0.5, -0.25 if mirrored else 0.25])
    said = describe(np.column_stack([matrix, [7, 8]]))
    assert said.scale == pytest.approx((0.5, 0.25))
    assert said.rotation == pytest.approx(30)
    assert said.shear == pytest.approx(0)
    assert said.mirrored is mirrored


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_similarity_has_no_shear(mirrored) -> None:
    rng = np.random.default_rng(1)
    affine = np.array([[0.3, 0.4, 5], [0.4, -0.3, 6]] if mirrored else [[0.3, -0.4, 5], [0.4, 0.3, 6]])
    pixels = rng.uniform(0, 1_000, (6, 2))
    fit = fit_affine(pixels, apply(affine, pixels) + rng.normal(0, 1, (6, 2)), similarity=True)
    said = describe(fit.affine)
    assert said.scale == pytest.approx((0.5, 0.5), rel=0.01)
    assert said.scale[0] == pytest.approx(said.scale[1])
    assert said.shear == pytest.approx(0, abs=1e-9)
    assert said.mirrored is mirrored
    two = fit_affine(pixels[:2], apply(affine, pixels[:2]), similarity=True)
    assert two.rmse == pytest.approx(0, abs=1e-9)
    assert two.leave_one_out is None


@pytest.mark.parametrize(
    ("pixels", "places", "words"),
    [
        ([[0, 0], [1, 0]], [[0, 0], [1, 0]], "At least 3"),
        ([[0, 0], [1, 0], [0, 1]] * 200, [[0, 0], [1, 0], [0, 1]] * 200, "600 landmarks, and at most 500"),
        ([[0, 0], [1, 1], [2, 2.001]], [[0, 0], [1, 0], [0, 1]], "one line in the picture"),
        ([[0, 0], [1, 0], [0, 1]], [[5, 5], [6, 6], [9, 9]], "one line in the section"),
        ([[1, 1]] * 3, [[0, 0], [1, 0], [0, 1]], "same point"),
        ([[0, 0], [1, 0], [0, np.nan]], [[0, 0], [1, 0], [0, 1]], "not finite"),
        ([[0, 0], [1, 0], [0, 1]], [[0, 0], [1, 0], [0, 1e300]], "Landmark 3 lies beyond"),
        ([[0, 0], [1, 0], [0, 1]], [[0, 0], [1, 0]], "needs a column"),
    ],
)
def test_landmarks_that_leave_the_place_open_are_refused(pixels, places, words) -> None:
    with pytest.raises(InputError, match=words):
        fit_affine(pixels, places)


def test_three_landmarks_have_no_landmark_to_spare() -> None:
    fit = fit_affine([[0, 0], [10, 0], [0, 10]], [[1, 1], [11, 1], [1, 21]])
    assert fit.leave_one_out is None
