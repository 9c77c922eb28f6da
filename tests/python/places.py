"""One extreme number in one place of a function's input: what it may change, and what comes of it.

The judge is the same function in float64, whose exponents reach further; at infinity it is the
limit that float64 shows. So an inf or NaN may not reach what no other number in its place reaches.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np

import checks
from engines import FLOATS, NUMPY, mx, to_engine

INF = float("inf")
FINITE = (0.0, 1.0, -1.0, 90.0, -90.0, 1e4, -1e4, 1e25, -1e25)
# Where float64 shows what there is at infinity, and still holds the squares.
FAR = (1e60, 1e120)
ALLOWED = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 5e-3, "float64": 1e-9}
PARTS = ("value", "gradient", "tangent")


def finite_values(dtype: str) -> list[float]:
    """Those of the list that the dtype holds, as it holds them, and its least numbers."""
    info = ml_dtypes.finfo(NUMPY[dtype])
    tiny = float(info.smallest_subnormal), float(info.tiny)
    held = [v for v in FINITE if abs(v) < float(info.max)]
    return [float(np.array(v).astype(NUMPY[dtype])) for v in (*held, *tiny, *(-t for t in tiny))]


class Answers:
    """Values, gradients and forward derivatives of `function` at `primals` with one of their
    elements replaced; as float64, each part a list of arrays."""

    def __init__(self, function, primals, differentiable=True):
        self.primals = primals
        rng = np.random.default_rng(11)

        def few_bits(array):
            drawn = rng.integers(1, 8, array.shape) / 4.0 * rng.choice((-1.0, 1.0), array.shape)
            return mx.array(drawn).astype(array.dtype)

        results = function(*primals)
        cotangents, tangents = ([few_bits(x) for x in some] for some in (results, primals))
        derivatives = (primals, results) if differentiable else ([], [])
        parts = (results, *derivatives)
        self.dtypes = [[checks.dtype_name(x.dtype) for x in part] for part in parts]

        def everything(*arrays):
            if not differentiable:
                return function(*arrays), [], []
            values, gradients = mx.vjp(function, list(arrays), cotangents)
            return values, gradients, mx.jvp(function, list(arrays), tangents)[1]

        self.run = mx.compile(everything)

    def __call__(self, which=None, place=0, value=0.0):
        arrays = list(self.primals)
        if which is not None:
            x = checks.to_numpy(arrays[which]).copy()
            x.reshape(-1)[place] = value
            arrays[which] = to_engine(mx, x).astype(arrays[which].dtype)
        found = self.run(*arrays)
        mx.eval(found)
        return [[checks.wide(y) for y in part] for part in found]


@dataclass(frozen=True)
class Finding:
    kind: str  # finite, untouched, nan, limit
    part: str
    where: str
    text: str


@dataclass
class Question:
    """A function in one dtype beside itself in float64, and what is asked of the two.

    `reach` is told which elements change with a number in a place, and answers which ones inf and
    NaN there may reach; `truth` answers as NumPy does, or None.
    """

    narrow: Answers
    wide: Answers
    dtype: str
    allowed: float = 1.0  # times what others are allowed
    floor: float = 0.0  # the size of what derivatives are made of
    values: tuple = ()  # other finite values than the list's
    limits: bool = True
    reach: Callable = lambda which, touched: touched
    truth: Callable = lambda which, place, value: None

    def findings(self):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            base = self.narrow()
            for which, x in enumerate(self.narrow.primals):
                name = checks.dtype_name(x.dtype)
                if x.size > 0 and name in FLOATS:
                    yield from self.at(which, x.size // 2, base, self.values or finite_values(name))

    def at(self, which, place, base, values):
        found = self.taken(self.narrow, which, place, values)
        right = self.taken(self.wide, which, place, found)
        found = {value: found[value] for value in right}
        wide_base = self.wide()
        touched = [
            [
                differs(parts, b) | differs(wides, w)
                for parts, wides, b, w in zip(*rows, strict=True)
            ]
            for rows in zip(by_array(found), by_array(right), base, wide_base, strict=True)
        ]
        for value in found:
            for k, i in each(base):
                told = found[value][k][i], right[value][k][i]
                text = self.wrong(*told, k, i, touched[k][i])
                if text:
                    yield Finding("finite", PARTS[k], f"{value:g} in argument {which}", text)
        for value in (INF, -INF, np.nan):
            for answer in self.taken(self.narrow, which, place, [value]).values():
                yield from self.not_finite(which, place, value, answer, base, touched)

    @staticmethod
    def taken(answers, which, place, values):
        """The answers to those values that are not refused by name."""
        found = {}
        for value in values:
            try:
                found[value] = answers(which, place, value)
            except RuntimeError as refusal:
                assert re.match(r"\[\w+\] The matrix ", str(refusal)), refusal
        return found

    def not_finite(self, which, place, value, given, base, touched):
        where = f"{value:g} in argument {which}"
        reached = self.reach(which, touched)
        poisoned = any((np.isnan(y) & t).any() for y, t in zip(given[0], touched[0], strict=True))
        for k, i in each(base):
            y, b = given[k][i], base[k][i]
            digits = 4 * float(ml_dtypes.finfo(NUMPY[self.dtype]).eps)
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
            moved = differs([y], b) & ~reached[k][i] & ~(np.abs(y - b) <= digits * scale)
            if moved.any():
                at = first(moved)
                yield Finding("untouched", PARTS[k], where, f"at {at} {y[at]!r}, not {b[at]!r}")
        if np.isnan(value):
            for i, y in enumerate(given[0]):
                lost = touched[0][i] & ~np.isnan(y)
                if lost.any():
                    yield Finding("nan", "value", where, f"at {first(lost)} {y[first(lost)]!r}")
            return
        if not self.limits:
            return
        near, far = (self.wide(which, place, np.copysign(f, value)) for f in FAR)
        truth = self.truth(which, place, value)
        for k, i in each(base):
            if k and poisoned or np.iscomplexobj(far[k][i]):
                continue
            limit, known = limit_of(near[k][i], far[k][i])
            if k == 0 and truth is not None:
                known &= ~(np.isnan(truth) & np.isnan(given[k][i]))
            text = self.wrong(given[k][i], limit, k, i, touched[k][i] & known)
            if text:
                yield Finding("limit", PARTS[k], where, text)

    def wrong(self, given, right, k, i, asked):
        """The first element asked for that is not the right one, rounded to its dtype. Derivatives
        beyond the dtype need not be infinite of the right sign: they are sums."""
        dtype = NUMPY.get(self.narrow.dtypes[k][i])
        name = self.narrow.dtypes[k][i] if self.dtype == "float64" else self.dtype
        allowed = ALLOWED.get(name, 1e-4) * self.allowed
        rounded = right if np.iscomplexobj(right) else right.astype(dtype).astype(right.dtype)
        finite = np.isfinite(rounded)
        scale = max(self.floor * bool(k), float(np.abs(rounded[finite & asked]).max(initial=0.0)))
        info = ml_dtypes.finfo(NUMPY[name])
        # Numbers below the normal ones of what is computed in may be taken for zero.
        least = info.smallest_subnormal if name == "float16" else info.tiny
        near = np.abs(given - rounded) <= allowed * scale + 4 * float(least)
        largest = float(info.max) * (1 - 4 * allowed)
        same = (given == rounded) | (np.isnan(given) & np.isnan(rounded))
        if not np.iscomplexobj(right):
            large = (np.abs(rounded) >= largest) & (np.abs(given) >= largest)
            same |= large & (np.sign(given) == np.sign(rounded))
        if k or np.iscomplexobj(right):
            same |= ~finite & ~np.isfinite(given)
        bad = asked & ~(same | finite & near)
        if not bad.any():
            return None
        at = first(bad)
        return f"at {at} {given[at]!r}, wanted {rounded[at]!r} ({bad.sum()} of {bad.size})"


def by_array(answers):
    """For each part and array the answers to all values."""
    return [
        [list(arrays) for arrays in zip(*parts, strict=True)]
        for parts in zip(*answers.values(), strict=True)
    ]


def each(base):
    return [(k, i) for k, part in enumerate(base) for i in range(len(part))]


def differs(answers, base):
    """Where any of them is not the base."""
    out = np.zeros(base.shape, bool)
    for y in answers:
        out |= ~((y == base) | (np.isnan(y) & np.isnan(base)))
    return out


def first(mask):
    return tuple(int(i) for i in np.argwhere(mask)[0])


def limit_of(near, far):
    """What two far answers tend to, and where that can be told."""
    close = (np.abs(far - near) <= 1e-6 * np.abs(near)) | (far == near)
    ratio = np.abs(far) / np.abs(near)
    growing = (ratio > 1.5) & (np.sign(near) == np.sign(far))
    shrinking = ratio < 1 / 1.5
    limit = np.where(growing, np.copysign(INF, far), np.where(shrinking, 0.0, far))
    return limit, (close | growing | shrinking) & ~np.isnan(near) & ~np.isnan(far)
