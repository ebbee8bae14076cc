"""How much memory tasks may take that need no more for a large section than for a small one."""

READING = 2 * 2**30  # bytes, for files of outlines, regions and gene sets: they are far smaller than sections
DRAWING = 4 * 2**30  # for pictures and prints, of a million cells too
