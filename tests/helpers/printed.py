"""Where things are on a printed page."""

import numpy as np


def frame_in(page):
    """Find the border of the only panel of a page (h, w, 3): left, top, right and bottom, in pixels.

    It is the longest unbroken upright grey line, and the one as long to its right.
    """
    channels = page[..., :3].astype(int)
    grey = (np.ptp(channels, axis=2) < 16) & (channels.min(axis=2) > 150) & (channels.max(axis=2) < 253)
    lines = [_longest(column) for column in grey.T]
    lengths = np.array([bottom - top for top, bottom in lines])
    sides = np.flatnonzero(lengths > 0.95 * lengths.max())
    top, bottom = lines[sides[0]]
    return sides[0], top, sides[-1], bottom


def _longest(column):
    """Give where the longest run of a column (h,) begins and ends."""
    at = np.flatnonzero(column)
    if not len(at):
        return 0, 0
    run = max(np.split(at, np.flatnonzero(np.diff(at) > 1) + 1), key=len)
    return run[0], run[-1]
