"""Elementwise functions, activations, losses, norms, optimizers, conversions and random numbers,
of 256 K elements, which stay in the cache: watched rows, measured beside a build before
(`--before`) or by name. Each row is one line of a table here."""

import numpy as np
from harness.work import Step, Work

from .calls import package

ROWS, COLUMNS = 512, 512


def words(text: str) -> list[str]:
    return text.split()


def row(name, title, make) -> Work:
    """`make(mx, dialect)` gives the call whose result is evaluated."""

    def prepare(dialect, inputs):
        once, evaluate = make(dialect.core, dialect), dialect.core.eval

        def run():
            evaluate(once())

        return Step(run, lambda value: [])

    return Work(name=name, title=title, target=None, watched=True, prepare={"mlx": prepare})


def matrix(mx, seed=0, low=-4.0, high=4.0, shape=(ROWS, COLUMNS), dtype="float32"):
    drawn = np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
    made = mx.array(drawn).astype(getattr(mx, dtype))
    mx.eval(made)
    return made


def gradient(mx, function, *inputs):
    """A call of the gradient by the first input of the results' sum."""
    differentiate = mx.grad(lambda *values: function(*values).sum())
    return lambda: differentiate(*inputs)


UNARY = words("""abs arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh degrees erf erfinv
    exp expm1 floor log log10 log1p log2 logical_not negative radians reciprocal round rsqrt sigmoid
    sign sin sinh sqrt square tan tanh isnan isinf cumsum cumprod cummax logcumsumexp softmax
    logsumexp sum mean var std prod max argmax sort any median""")
BINARY = words("""add subtract multiply divide floor_divide remainder power maximum minimum
    logaddexp arctan2 equal less logical_and""")
ACTIVATIONS = words("""celu elu gelu gelu_approx gelu_fast_approx glu hard_shrink hard_tanh
    hardswish leaky_relu log_sigmoid log_softmax mish relu relu2 relu6 selu sigmoid silu softmax
    softmin softplus softshrink softsign step tanh""")
DOMAINS = {"arccos": (-1, 1), "arcsin": (-1, 1), "arctanh": (-1, 1), "erfinv": (-1, 1)}
DOMAINS |= dict.fromkeys(words("log log10 log1p log2 rsqrt sqrt reciprocal"), (0.1, 4))
DOMAINS |= {"arccosh": (1, 4)}
WITHOUT_GRADIENT = set(words("logical_not isnan isinf argmax any median step"))


def unary(name, dtype="float32"):
    def make(mx, dialect):
        function, x = getattr(mx, name), matrix(mx, 0, *DOMAINS.get(name, (-4, 4)), dtype=dtype)
        return lambda: function(x)

    return make


def unary_gradient(name):
    def make(mx, dialect):
        return gradient(mx, getattr(mx, name), matrix(mx, 0, *DOMAINS.get(name, (-4, 4))))

    return make


def binary(name, right=None, low=0.1):
    """Of two arrays, or of an array and a number."""

    def make(mx, dialect):
        function, x = getattr(mx, name), matrix(mx, 0, low)
        y = matrix(mx, 1, low) if right is None else right
        return lambda: function(x, y)

    return make


def binary_gradient(name):
    def make(mx, dialect):
        return gradient(mx, getattr(mx, name), matrix(mx, 0, 0.1), matrix(mx, 1, 0.1))

    return make


def power_gradient(mx, dialect):
    return gradient(mx, lambda x: x**2.0, matrix(mx))


def activation(name, dtype="float32"):
    def make(mx, dialect):
        function, x = getattr(package(dialect, "nn"), name), matrix(mx, dtype=dtype)
        return lambda: function(x)

    return make


def activation_gradient(name):
    return lambda mx, dialect: gradient(mx, getattr(package(dialect, "nn"), name), matrix(mx))


def probabilities(mx):
    return matrix(mx, 0, 0.05, 0.95), matrix(mx, 1, 0.05, 0.95)


def signs(mx):
    return mx.sign(matrix(mx, 1))


LOSSES = {
    "binary_cross_entropy": lambda mx: (matrix(mx), (matrix(mx, 1) > 0).astype(mx.float32)),
    "cosine_similarity_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "cross_entropy": lambda mx: (matrix(mx), mx.arange(ROWS) % COLUMNS),
    "gaussian_nll_loss": lambda mx: (matrix(mx), matrix(mx, 1), matrix(mx, 2, 0.1, 2)),
    "hinge_loss": lambda mx: (matrix(mx), signs(mx)),
    "huber_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "kl_div_loss": lambda mx: tuple(mx.log(p) for p in probabilities(mx)),
    "l1_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "log_cosh_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "margin_ranking_loss": lambda mx: (matrix(mx), matrix(mx, 1), signs(mx)),
    "mse_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "nll_loss": lambda mx: (matrix(mx), mx.arange(ROWS) % COLUMNS),
    "smooth_l1_loss": lambda mx: (matrix(mx), matrix(mx, 1)),
    "triplet_loss": lambda mx: (matrix(mx), matrix(mx, 1), matrix(mx, 2)),
}


def loss(name, differentiated):
    def make(mx, dialect):
        function, inputs = getattr(package(dialect, "nn").losses, name), LOSSES[name](mx)
        mx.eval(inputs)
        return gradient(mx, function, *inputs) if differentiated else lambda: function(*inputs)

    return make


IMAGE = (8, 32, 32, 32)
LAYERS = {
    "LayerNorm": lambda nn: nn.LayerNorm(COLUMNS),
    "RMSNorm": lambda nn: nn.RMSNorm(COLUMNS),
    "BatchNorm": lambda nn: nn.BatchNorm(COLUMNS),
    "GroupNorm": lambda nn: nn.GroupNorm(8, 32),
    "InstanceNorm": lambda nn: nn.InstanceNorm(32),
    "Dropout": lambda nn: nn.Dropout(0.3),
    "Dropout2d": lambda nn: nn.Dropout2d(0.3),
    "PReLU": lambda nn: nn.PReLU(),
    "Linear": lambda nn: nn.Linear(COLUMNS, COLUMNS),
    "ALiBi": lambda nn: nn.ALiBi(),
    "RoPE": lambda nn: nn.RoPE(64),
    "MaxPool2d": lambda nn: nn.MaxPool2d(2),
    "AvgPool2d": lambda nn: nn.AvgPool2d(2),
    "Upsample": lambda nn: nn.Upsample(2.0, "linear"),
}
OF_IMAGES = words("GroupNorm InstanceNorm Dropout2d MaxPool2d AvgPool2d Upsample")
OF_HEADS = {"ALiBi": (4, 8, 96, 96), "RoPE": (4, 8, 128, 64)}


def layer(name, differentiated):
    def make(mx, dialect):
        made = LAYERS[name](package(dialect, "nn"))
        shape = IMAGE if name in OF_IMAGES else OF_HEADS.get(name, (ROWS, COLUMNS))
        x = matrix(mx, shape=shape)
        return gradient(mx, made, x) if differentiated else lambda: made(x)

    return make


OPTIMIZERS = words("""AdaDelta Adafactor Adagrad Adam AdamW Adamax Lion Muon RMSprop SGD""")


def optimizer(name):
    def make(mx, dialect):
        made = getattr(package(dialect, "optimizers"), name)(learning_rate=1e-3)
        held, gradients = {"w": matrix(mx)}, {"w": matrix(mx, 1)}
        made.init(held)

        def run():
            held.update(made.apply_gradients(gradients, held))
            return held, made.state

        return run

    return make


def clipped(mx, dialect):
    clip = package(dialect, "optimizers").clip_grad_norm
    held = {f"w{i}": matrix(mx, i) for i in range(4)}
    return lambda: clip(held, 1.0)


DTYPES = words("""bool_ uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 bfloat16 float32
    complex64 float64""")


def conversion(source, target):
    def make(mx, dialect):
        to = getattr(mx, target)
        # float64 is not everywhere; numbers from 0 to 100 fit every dtype.
        with mx.stream(mx.cpu):
            x = matrix(mx, 0, 0, 100, dtype=source)
        return lambda: x.astype(to, stream=mx.cpu)

    return make


DRAWS = {
    "uniform": lambda mx, shape: mx.random.uniform(shape=shape),
    "uniform_bounds": lambda mx, shape: mx.random.uniform(-3.0, 7.0, shape),
    "uniform_half": lambda mx, shape: mx.random.uniform(shape=shape, dtype=mx.float16),
    "uniform_brain": lambda mx, shape: mx.random.uniform(shape=shape, dtype=mx.bfloat16),
    "normal": lambda mx, shape: mx.random.normal(shape),
    "normal_half": lambda mx, shape: mx.random.normal(shape, dtype=mx.float16),
    "randint": lambda mx, shape: mx.random.randint(0, 1000, shape),
    "randint_2_16": lambda mx, shape: mx.random.randint(0, 1 << 16, shape),
    "randint_2_30": lambda mx, shape: mx.random.randint(0, 1 << 30, shape),
    "randint_int64": lambda mx, shape: mx.random.randint(0, 1 << 40, shape, dtype=mx.int64),
    "bernoulli": lambda mx, shape: mx.random.bernoulli(0.3, shape),
    "gumbel": lambda mx, shape: mx.random.gumbel(shape),
    "laplace": lambda mx, shape: mx.random.laplace(shape),
    "truncated_normal": lambda mx, shape: mx.random.truncated_normal(-1.0, 1.0, shape),
    "permutation": lambda mx, shape: mx.random.permutation(ROWS * COLUMNS),
    "categorical": lambda mx, shape: mx.random.categorical(mx.zeros((64, 4096))),
}


def draw(name):
    return lambda mx, dialect: lambda: DRAWS[name](mx, (ROWS, COLUMNS))


WORKS = [
    *(row(f"unary_{n}", f"{n}, float32", unary(n)) for n in UNARY),
    *(
        row(f"unary_{n}_gradient", f"gradient of {n}", unary_gradient(n))
        for n in UNARY
        if n not in WITHOUT_GRADIENT
    ),
    *(
        row(f"unary_{n}_{dtype}", f"{n}, {dtype}", unary(n, dtype))
        for n in words("exp tanh sigmoid cumsum sum softmax logsumexp")
        for dtype in ("float16", "bfloat16")
    ),
    *(row(f"binary_{n}", f"{n}, float32", binary(n)) for n in BINARY),
    *(row(f"binary_{n}_gradient", f"gradient of {n}", binary_gradient(n)) for n in BINARY[:11]),
    row("binary_power_2", "power by 2.0", binary("power", 2.0)),
    row("binary_power_half", "power by 0.5", binary("power", 0.5)),
    row("binary_power_3", "power by 3.0", binary("power", 3.0)),
    row("binary_power_2_gradient", "gradient of power by 2.0", power_gradient),
    row("binary_maximum_0", "maximum with 0.0", binary("maximum", 0.0, -4)),
    row("binary_remainder_3", "remainder by 3.0", binary("remainder", 3.0, -4)),
    *(row(f"activation_{n}", f"nn.{n}", activation(n)) for n in ACTIVATIONS),
    *(
        row(f"activation_{n}_bfloat16", f"nn.{n}, bfloat16", activation(n, "bfloat16"))
        for n in ACTIVATIONS
    ),
    *(
        row(f"activation_{n}_gradient", f"gradient of nn.{n}", activation_gradient(n))
        for n in ACTIVATIONS
        if n not in WITHOUT_GRADIENT
    ),
    *(row(f"loss_{n}", n, loss(n, False)) for n in LOSSES),
    *(row(f"loss_{n}_gradient", f"gradient of {n}", loss(n, True)) for n in LOSSES),
    *(row(f"layer_{n}", f"nn.{n}", layer(n, False)) for n in LAYERS),
    *(row(f"layer_{n}_gradient", f"gradient of nn.{n}", layer(n, True)) for n in LAYERS),
    *(row(f"optimizer_{n}", f"{n} update of 256 K", optimizer(n)) for n in OPTIMIZERS),
    row("optimizer_clip", "clip_grad_norm of 4 x 256 K", clipped),
    *(
        row(f"convert_{a}_{b}", f"{a} to {b}", conversion(a, b))
        for a in DTYPES
        for b in DTYPES
        if a != b
    ),
    *(row(f"draw_{n}", f"random.{n}", draw(n)) for n in DRAWS),
]
