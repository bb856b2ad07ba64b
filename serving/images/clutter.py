"""What stands out from the paper and is no part of a digit: frames, ruled lines, underlines, specks."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from serving.images.ground import border, levels

Mask = NDArray[np.bool_]

EIGHT = np.ones((3, 3), np.bool_)  # pixels touch over edges and corners
WHOLE = (slice(None), slice(None))
STEADY = 4.0  # grey levels by which the rows of a bar differ
UNLIKE = 12.0  # grey levels by which the paper within differs from it, at most two rows farther
ALIKE = 40.0  # grey levels within which nearly all pixels of a frame's row lie
DEEPEST = 0.3  # of a side is what a frame or a bar takes of it at most
CROSSED = 0.85  # share of the columns that a line from edge to edge has ink in
UNCROSSED = 0.4  # share of the columns where nothing crosses it
COARSE = 64  # pixels a side up to which a digit's stroke may be as thin as a line
SLOPES = np.linspace(-0.08, 0.08, 33)  # of ruled lines
LEAST = 0.1  # of the picture's side is what a digit measures at least beside its lines
THIN = 0.04  # of the picture's side is what a ruled line's width is at most
SPECK = 0.02  # of the largest part's area: what is smaller is no ink
DOT = 0.1  # the same for what lies apart from the rest
APART = 0.12  # of the largest part's longer side: parts farther from it lie apart
ALONE = 0.2  # of the picture's side is what a digit measures at least that lies between lines through the picture
STRAIGHT = 6.0  # how many times longer than wide a line is


def within_frame(grey: NDArray[np.float32]) -> tuple[slice, slice]:
    """The rows and the columns of brightness, float32 [height, width], within a frame or between two bars."""
    rows, columns = _between_bars(grey), _between_bars(grey.T)
    inner = grey[rows, columns]
    if inner.size == grey.size:
        return WHOLE
    darker, lighter = levels(border(inner), 0.1, 0.9)
    if lighter - darker > ALIKE or np.ptp(inner) < ALIKE:  # a stem between two margins
        return WHOLE
    return rows, columns


def _between_bars(grey: NDArray[np.float32]) -> slice:
    """The rows between bars of one even brightness along the first and along the last of them."""
    depths = [_depth(grey), _depth(grey[::-1])]
    return slice(depths[0], len(grey) - depths[1]) if min(depths) > 0 else slice(None)


def _depth(grey: NDArray[np.float32]) -> int:
    """How many rows from the first on are a bar: 0 where it goes on too far, or no other paper follows."""
    low, level, high = levels(grey[0], 0.05, 0.5, 0.95)
    if high - low > ALIKE:
        return 0
    rows = grey[: int(DEEPEST * len(grey)) + 2]
    middle = np.partition(rows, rows.shape[1] // 2, axis=1)[:, rows.shape[1] // 2]
    other = np.abs(middle - level) > STEADY
    first = int(other.argmax())
    after = first + 1 if first + 1 < len(middle) and abs(middle[first + 1] - middle[first]) > STEADY else first
    sharp = first > 0 and abs(middle[after] - level) > UNLIKE
    return after if sharp and other[first:].all() else 0


def of_the_digit(strokes: Mask) -> Mask:
    """Those of `strokes`, bool [height, width], that may belong to a digit: bool alike."""
    return without_specks(without_rules(strokes))


def without_rules(strokes: Mask) -> Mask:
    """`strokes`, bool [height, width], less thin straight lines from edge to edge; what crosses them stays."""
    if max(strokes.shape) <= COARSE:
        return strokes
    rules = np.zeros_like(strokes)
    if strokes.any(axis=0).mean() >= CROSSED:
        rules |= _rules(strokes)
    if strokes.any(axis=1).mean() >= CROSSED:
        rules |= _rules(strokes.T).T
    if not rules.any():
        return strokes
    left = strokes & ~rules
    rows, columns = np.flatnonzero(left.any(axis=1)), np.flatnonzero(left.any(axis=0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) < LEAST * max(strokes.shape):
        return strokes  # the line is the digit
    height, width = strokes.shape
    fills = (rows[0] == 0 and rows[-1] == height - 1) or (columns[0] == 0 and columns[-1] == width - 1)
    return strokes if fills else left


def _rules(strokes: Mask) -> Mask:
    """The pixels of nearly level lines from edge to edge."""
    height, width = strokes.shape
    down, right = np.nonzero(strokes)
    best, found = 0.0, (0.0, np.zeros(0, np.int64))
    for slope in SLOPES:
        place = np.rint(down - slope * (right - width / 2)).astype(np.int64)
        inside = (place >= 0) & (place < height)
        filled = np.bincount(place[inside], minlength=height) / width
        score = float(np.square(filled).sum())
        if score > best:
            best, found = score, (slope, filled)
    slope, filled = found
    if not len(filled):
        return np.zeros_like(strokes)
    near = filled + np.pad(filled, 1)[2:] + np.pad(filled, 1)[:-2]
    place = np.rint(np.arange(height)[:, None] - slope * (np.arange(width) - width / 2)).astype(np.int64)
    likely = np.flatnonzero((near >= CROSSED) & (filled >= 0.3))
    crossed = [(strokes & (np.abs(place - row) <= 1)).any(axis=0).mean() for row in likely]
    centres = likely[np.array(crossed) >= CROSSED] if len(likely) else likely
    if not len(centres):
        return np.zeros_like(strokes)
    on = np.isin(place, np.concatenate([centres, centres - 1, centres + 1])) & strokes
    thickness = max(1, round(float(np.median(on.sum(axis=0)[on.any(axis=0)])) / max(_groups(centres), 1)))
    if thickness > max(2, THIN * max(height, width)):
        return np.zeros_like(strokes)
    tall = ndimage.binary_opening(strokes, np.ones((thickness + 2 + thickness // 2, 1), np.bool_))
    thin: Mask = on & ~tall
    return thin if thin.any(axis=0).mean() >= UNCROSSED else np.zeros_like(strokes)


def _groups(places: NDArray[np.int64]) -> int:
    """How many runs of neighbours there are among ascending `places`."""
    return 1 + int((np.diff(places) > 2).sum())


def without_specks(strokes: Mask) -> Mask:
    """`strokes`, bool [height, width], less frames, lines and dots that lie apart from the largest part."""
    labels, count = ndimage.label(strokes, EIGHT)
    if count < 2:
        return strokes
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = np.array(
        [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in ndimage.find_objects(labels)]
    )
    hollow = _hollow(labels, areas, boxes) | _through(labels, boxes)
    if hollow.all():
        return strokes
    main = int(np.where(hollow, 0, areas).argmax())
    total = areas[~hollow].sum()
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    side = max(heights[main], widths[main])
    gap = np.max(
        [
            boxes[main, 0] - boxes[:, 1],
            boxes[:, 0] - boxes[main, 1],
            boxes[main, 2] - boxes[:, 3],
            boxes[:, 2] - boxes[main, 3],
        ],
        axis=0,
    )
    speck = areas < SPECK * areas[main]
    if areas[main] >= 0.5 * total:
        speck |= (areas < DOT * areas[main]) & (gap > APART * side)
    lengths = np.maximum(heights, widths)
    thin = lengths >= STRAIGHT * areas / lengths
    underline = thin & (widths > 6 * heights) & (boxes[:, 0] >= boxes[main, 1] - 0.12 * heights[main])
    underline &= (widths >= 0.7 * widths[main]) & (heights[main] > 3 * heights)
    ends = (boxes[:, [0, 2]] == 0) | (boxes[:, [1, 3]] == strokes.shape)
    touching = ends.any(axis=1)
    runaway = thin & (gap >= 0) & (touching | (lengths > 1.3 * side))
    runaway &= ~touching[main]
    clutter = hollow | speck | underline | runaway
    clutter[main] = False
    if not clutter.any():
        return strokes
    result: Mask = np.concatenate([[False], ~clutter])[labels]
    return result


def _hollow(labels: NDArray[np.signedinteger], areas: NDArray[np.int64], boxes: NDArray[np.int64]) -> Mask:
    """Which of the parts numbered from 1 in `labels` are frames: along the edges of a large box, and nowhere else."""
    result = np.zeros(len(areas), np.bool_)
    height, width = labels.shape
    for index in np.flatnonzero((boxes[:, 1] - boxes[:, 0] > 0.6 * height) & (boxes[:, 3] - boxes[:, 2] > 0.6 * width)):
        top, bottom, left, right = boxes[index]
        rim = max(1, round(0.05 * max(height, width)))
        inner = labels[top + rim : bottom - rim, left + rim : right - rim] == index + 1
        result[index] = inner.sum() < 0.02 * areas[index]
    return result


def _through(labels: NDArray[np.signedinteger], boxes: NDArray[np.int64]) -> Mask:
    """Which of the parts numbered from 1 in `labels` are thin lines from edge to edge, crossing each other or not.

    None in a small picture, or where no part lies free of the edges that could be the digit.
    """
    side = max(labels.shape)
    free = ((boxes[:, [0, 2]] > 0) & (boxes[:, [1, 3]] < labels.shape)).all(axis=1)
    lengths = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
    edges = (boxes[:, [0, 2]] == 0).sum(axis=1) + (boxes[:, [1, 3]] == labels.shape).sum(axis=1)
    through = (edges >= 2) & (lengths >= CROSSED * min(labels.shape))
    if side <= COARSE or not through.any() or not (free & (lengths >= ALONE * side)).any():
        return np.zeros(len(boxes), np.bool_)
    broad = max(3, round(THIN * side)) | 1
    for index in np.flatnonzero(through):
        top, bottom, left, right = boxes[index]
        part = labels[top:bottom, left:right] == index + 1
        through[index] = not ndimage.binary_erosion(part, np.ones((broad, broad), np.bool_)).any()
    return through
