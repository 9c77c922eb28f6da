"""Random draws: equal to MLX bit for bit, from explicit keys."""

from engines import INTEGERS

from .spec import Arr, Name, sample

DRAW = {"dtypes": ("float32",), "grad": False, "vmap": False, "exact": True, "shapeless": False}
KEY = Arr((2,), dtype="uint32", values=(0, 42))
SHAPES = ((), (1,), (2,), (3,), (7,), (4, 5), (0,), (3, 67))
HALVES = ("float16", "bfloat16")
# Draws that pass through erfinv, log or exp are exact only where these functions are:
# three roundings of the intermediate float32 values.
THROUGH_FUNCTIONS = DRAW | {"exact": False, "tolerance": {"float32": 5e-6}}


def table():
    for shape in SHAPES:
        label = "x".join(map(str, shape))
        yield sample("random.uniform", kw={"shape": shape, "key": KEY}, label=label, **DRAW)
        yield sample("random.bernoulli", 0.3, shape, KEY, label=label, **DRAW)
        yield sample("random.randint", -5, 100, shape, kw={"key": KEY}, label=label, **DRAW)
        for name in ("normal", "gumbel", "laplace"):
            yield sample(
                f"random.{name}", kw={"shape": shape, "key": KEY}, label=label, **THROUGH_FUNCTIONS
            )
        yield sample(
            "random.truncated_normal",
            -1.0,
            2.0,
            shape,
            kw={"key": KEY},
            label=label,
            **(THROUGH_FUNCTIONS | {"tolerance": {"float32": 2e-5}}),  # erf's last bit, near 0
        )
    for dtype in HALVES:
        options = {"shape": (9,), "dtype": Name(dtype), "key": KEY}
        yield sample("random.uniform", kw=options, label=dtype, **DRAW)
        for name in ("normal", "gumbel", "laplace"):
            yield sample(f"random.{name}", kw=options, label=dtype, **(DRAW | {"exact": False}))
    yield sample(
        "random.uniform",
        Arr((4,), low=0, high=1),
        Arr((4,), low=2, high=3),
        (3, 4),
        kw={"key": KEY},
        label="bounds",
        **(DRAW | {"exact": False}),
    )
    yield sample(
        "random.normal",
        kw={"shape": (5,), "loc": 2.0, "scale": 0.5, "key": KEY},
        label="scaled",
        **THROUGH_FUNCTIONS,
    )
    for dtype in INTEGERS:
        yield sample(
            "random.randint",
            0,
            50,
            (11,),
            kw={"dtype": Name(dtype), "key": KEY},
            label=dtype,
            **DRAW,
        )
    yield sample(
        "random.bernoulli", Arr((3, 4), low=0, high=1), kw={"key": KEY}, label="array", **DRAW
    )
    logits = Arr((3, 5))
    for label, keywords in {
        "": {},
        "samples": {"num_samples": 4},
        "shape": {"shape": (2, 3)},
        "axis": {"axis": 0},
    }.items():
        yield sample("random.categorical", logits, kw=keywords | {"key": KEY}, label=label, **DRAW)
    # One distribution is drawn from in another way, but for a scalar.
    for label, shape, keywords in (
        ("one", (1, 9), {}),
        ("one-scalar", (9,), {"shape": ()}),
        ("one-samples", (9,), {"num_samples": 6}),
    ):
        yield sample(
            "random.categorical", Arr(shape), kw=keywords | {"key": KEY}, label=label, **DRAW
        )
    for label, argument in {"number": 9, "array": Arr((6, 2))}.items():
        yield sample("random.permutation", argument, kw={"key": KEY}, label=label, **DRAW)
    yield sample(
        "random.permutation", Arr((3, 7)), kw={"axis": 1, "key": KEY}, label="axis", **DRAW
    )
    for count in (1, 2, 5):
        yield sample("random.split", KEY, count, label=str(count), **DRAW)
    yield sample("random.key", 12345678901, **DRAW)
    yield sample("random.seed", label="then-draw", call=seeded, **(DRAW | {"compiled": False}))


def seeded(mx):
    mx.random.seed(11)
    return (
        mx.random.uniform(shape=(3,)),
        mx.random.randint(0, 9, (4,)),
        mx.random.split(mx.random.key(1)),
    )


SAMPLES = list(table())
