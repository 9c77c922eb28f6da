"""One Adam step, forward, backward and update: an MLP and a small convnet; and the update alone.

The array engines run one compiled function of (parameters, moments, step) -> the same and the
loss; torch runs eagerly with its own fused Adam, as its users would. The update alone is that of
each package's own optimizer; jax has none.
"""

import importlib

import numpy as np
from harness.work import Step, Target, Work

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
STEPS_CHECKED = 3


def weights(rng, *shapes):
    """He-scaled weights; biases (one axis) are zero."""
    made = []
    for shape in shapes:
        fan_in = int(np.prod(shape[1:]))
        value = rng.standard_normal(shape, dtype=np.float32) * np.sqrt(2.0 / max(fan_in, 1))
        made.append((value if len(shape) > 1 else np.zeros(shape)).astype(np.float32))
    return made


def labels(rng, count):
    return rng.integers(0, 10, (count,)).astype(np.int32)


def mlp_inputs(rng):
    x = rng.standard_normal((128, 784), dtype=np.float32)
    shapes = [(512, 784), (512,), (512, 512), (512,), (10, 512), (10,)]
    return [x, labels(rng, 128), *weights(rng, *shapes)]


def mlp(kit, parameters, x):
    w1, b1, w2, b2, w3, b3 = parameters
    x = kit.relu(kit.linear(x, w1, b1))
    x = kit.relu(kit.linear(x, w2, b2))
    return kit.linear(x, w3, b3)


def cnn_inputs(rng):
    x = rng.standard_normal((32, 32, 32, 3), dtype=np.float32)
    shapes = [(32, 3, 3, 3), (32,), (64, 3, 3, 32), (64,), (10, 8 * 8 * 64), (10,)]
    return [x, labels(rng, 32), *weights(rng, *shapes)]


def cnn(kit, parameters, x):
    """Two convolutions 3x3, each with relu and an average over 2x2, and a linear layer."""
    k1, b1, k2, b2, w, b = parameters
    x = kit.pool(kit.relu(kit.conv(x, k1) + b1))
    x = kit.pool(kit.relu(kit.conv(x, k2) + b2))
    return kit.linear(x.reshape(x.shape[0], -1), w, b)


def pool(x):
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean((2, 4))


class MlxKit:
    """The functions in which the dialects differ, on channels-last images."""

    def __init__(self, mx):
        self.mx, self.pool = mx, pool

    def linear(self, x, w, b):
        return self.mx.addmm(b, x, w.T)

    def relu(self, x):
        return self.mx.maximum(x, 0.0)

    def conv(self, x, kernel):
        return self.mx.conv2d(x, kernel, padding=1)

    def loss(self, logits, target):
        picked = self.mx.take_along_axis(logits, target[:, None], axis=-1).squeeze(-1)
        return (self.mx.logsumexp(logits, axis=-1) - picked).mean()


class JaxKit:
    def __init__(self, jax):
        self.jax, self.jnp, self.pool = jax, jax.numpy, pool

    def linear(self, x, w, b):
        return x @ w.T + b

    def relu(self, x):
        return self.jnp.maximum(x, 0.0)

    def conv(self, x, kernel):
        return self.jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "OHWI", "NHWC")
        )

    def loss(self, logits, target):
        picked = self.jnp.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
        return (self.jax.nn.logsumexp(logits, axis=-1) - picked).mean()


class TorchKit:
    """Images are NCHW views of channels-last memory until the last layer."""

    def __init__(self, torch):
        self.functional = torch.nn.functional
        self.linear, self.relu = self.functional.linear, self.functional.relu

    def conv(self, x, kernel):
        nchw = self.functional.conv2d(x.permute(0, 3, 1, 2), kernel.permute(0, 3, 1, 2), padding=1)
        return nchw.permute(0, 2, 3, 1)

    def pool(self, x):
        return self.functional.avg_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)

    def loss(self, logits, target):
        return self.functional.cross_entropy(logits, target)


def adam(parameters, gradients, first, second, step, sqrt):
    """Adam's update with bias correction, written once for the array engines."""
    updated, m_out, v_out = [], [], []
    rate = RATE * sqrt(1.0 - BETA2**step) / (1.0 - BETA1**step)
    for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
        m = BETA1 * m + (1.0 - BETA1) * g
        v = BETA2 * v + (1.0 - BETA2) * g * g
        updated.append(p - rate * m / (sqrt(v) + EPSILON))
        m_out.append(m)
        v_out.append(v)
    return updated, m_out, v_out


class Trainer:
    """Holds the state, makes one step; the first run makes the steps whose losses are checked.

    A step gets the only hold on the state, so that its memory can be used again: what a program
    that replaces its parameters gives every engine, and what donate_argnums asks of jax.
    """

    def __init__(self, advance, state):
        self.advance, self.held, self.started = advance, [state], False

    def step(self):
        state, loss = self.advance(self.held.pop())
        self.held.append(state)
        return loss

    def run(self):
        if self.started:
            self.step()
            return None
        self.started = True
        return [float(self.step()) for _ in range(STEPS_CHECKED)]


def array_step(model, kit, value_and_grad, sqrt):
    def step(state, x, y):
        parameters, first, second, count = state
        count = count + 1.0
        loss, gradients = value_and_grad(lambda p: kit.loss(model(kit, p, x), y))(parameters)
        return (*adam(parameters, gradients, first, second, count, sqrt), count), loss

    return step


def mlx_trainer(model):
    def prepare(dialect, inputs):
        mx = dialect.core
        x, y, *parameters = (mx.array(value) for value in inputs)
        step = mx.compile(array_step(model, MlxKit(mx), mx.value_and_grad, mx.sqrt))

        def advance(state):
            state, loss = step(state, x, y)
            mx.eval(state, loss)
            return state, loss

        zeros = [mx.zeros_like(p) for p in parameters]
        return make_step(Trainer(advance, (parameters, zeros, zeros, mx.array(0.0))))

    return prepare


def jax_trainer(model):
    def prepare(dialect, inputs):
        jax, jnp = dialect.jax, dialect.library
        x, y, *parameters = (jnp.asarray(value) for value in inputs)
        step = jax.jit(
            array_step(model, JaxKit(jax), jax.value_and_grad, jnp.sqrt), donate_argnums=0
        )

        def advance(state):
            return jax.block_until_ready(step(state, x, y))

        moments = [[jnp.zeros_like(p) for p in parameters] for _ in range(2)]
        return make_step(Trainer(advance, (parameters, *moments, jnp.array(0.0))))

    return prepare


def torch_trainer(model):
    def prepare(dialect, inputs):
        torch = dialect.library
        x, y, *values = (torch.from_numpy(value) for value in inputs)
        y, kit = y.long(), TorchKit(torch)
        parameters = [torch.nn.Parameter(value) for value in values]
        optimizer = torch.optim.Adam(
            parameters, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )

        def advance(state):
            optimizer.zero_grad(set_to_none=True)
            loss = kit.loss(model(kit, parameters, x), y)
            loss.backward()
            optimizer.step()
            return state, loss.detach()

        return make_step(Trainer(advance, None))

    return prepare


# About 10 M parameters each: some large arrays, many of middling size, and many small ones.
LARGE = [(2048, 2048), (2048, 2048), (2048,), (1024, 1024), (1024,), (512, 1024), (512,)]
MIDDLING = [(625, 1000)] * 16
SMALL = [(200, 100)] * 500


def count(shapes) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def update_inputs(shapes):
    """Parameters, then their gradients."""
    return lambda rng: [
        rng.standard_normal(s, dtype=np.float32) * f for f in (1, 0.01) for s in shapes
    ]


def mlx_update(dialect, inputs):
    mx = dialect.core
    package = dialect.module.partition(".")[0]
    optimizers = importlib.import_module(f"{package}.optimizers")
    half = len(inputs) // 2
    names = [str(i) for i in range(half)]
    held = dict(zip(names, map(mx.array, inputs[:half]), strict=True))
    gradients = dict(zip(names, map(mx.array, inputs[half:]), strict=True))
    optimizer = optimizers.Adam(RATE, [BETA1, BETA2], EPSILON, bias_correction=True)
    optimizer.init(held)
    mx.eval(held, gradients, optimizer.state)

    def run():
        # Nobody holds the old values then, as after Optimizer.update of a model.
        held.update(optimizer.apply_gradients(gradients, held))
        mx.eval(held, optimizer.state)

    return Step(run, lambda _: [np.array(value) for value in held.values()])


def torch_update(dialect, inputs):
    torch = dialect.library
    values = [torch.from_numpy(value) for value in inputs]
    half = len(values) // 2
    parameters = [torch.nn.Parameter(value) for value in values[:half]]
    for parameter, gradient in zip(parameters, values[half:], strict=True):
        parameter.grad = gradient
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
    return Step(optimizer.step, lambda _: [p.detach().numpy() for p in parameters])


def update(name, title, shapes) -> Work:
    return Work(
        name=name,
        title=title,
        target=Target(1.0, "torch", share=0.6),
        inputs=update_inputs(shapes),
        prepare={"mlx": mlx_update, "torch": torch_update},
        # Reads parameters, gradients and two moments, writes all but the gradients.
        bytes=28.0 * count(shapes),
        tolerance=1e-3,
    )


def make_step(trainer) -> Step:
    return Step(trainer.run, lambda losses: [np.array(losses)])


def training(name, title, inputs, model, flops) -> Work:
    return Work(
        name=name,
        title=title,
        target=Target(1.0),
        inputs=inputs,
        prepare={
            "mlx": mlx_trainer(model),
            "jax": jax_trainer(model),
            "torch": torch_trainer(model),
        },
        flops=flops,
        # Adam divides by the root of tiny squares: three steps widen rounding differences.
        tolerance=1e-3,
    )


WORKS = [
    update("adam_update", "Adam update of 10 M parameters", LARGE),
    update("adam_update_16", "Adam update of 10 M parameters in 16 arrays", MIDDLING),
    update("adam_update_500", "Adam update of 10 M parameters in 500 arrays", SMALL),
    training(
        "adam_mlp",
        "Adam step, MLP 784-512-512-10, batch 128",
        mlp_inputs,
        mlp,
        flops=6.0 * 128 * (784 * 512 + 512 * 512 + 512 * 10),
    ),
    training(
        "adam_cnn",
        "Adam step, CNN of two convolutions, batch 32 of 32x32x3",
        cnn_inputs,
        cnn,
        flops=6.0 * 32 * (32 * 32 * 9 * 3 * 32 + 16 * 16 * 9 * 32 * 64 + 4096 * 10),
    ),
]
