"""An operation that is no composition of others: isotonic regression, as a primitive in Python.

Of all rising sequences, ``isotonic(x)`` is the nearest to ``x``. Neighbours that fall are pooled
into blocks that share their mean, so how the work goes depends on the values: an algorithm with
a stack, not array operations. As a primitive it runs in the graph all the same, with a gradient
and batched. Here it straightens noisy measurements of something that only rises, and gradient
descent through it finds the best scale of the noise's weights.

    python examples/extension/isotonic.py
"""

import heddle.core as mx
import numpy as np

from heddle.extension import Primitive


class Rows(Primitive):
    """Something that is done to each row, along the last axis, of its inputs."""

    def __call__(self, *inputs):
        return self.make_array(inputs[0].shape, mx.float32, inputs)

    def vmap(self, inputs, axes):
        size = next(x.shape[a] for x, a in zip(inputs, axes, strict=True) if a is not None)
        rows = [
            mx.broadcast_to(x, (size, *x.shape)) if a is None else mx.moveaxis(x, a, 0)
            for x, a in zip(inputs, axes, strict=True)
        ]
        return [self(*rows)], [0]

    def output_shapes(self, inputs):
        return [inputs[0].shape]

    def is_equivalent(self, other):
        return True  # there are no attributes that could differ

    def eval_cpu(self, inputs, outputs):
        arrays = [np.asarray(x) for x in inputs]
        result = np.asarray(outputs[0])
        for row in np.ndindex(result.shape[:-1]):
            result[row] = self.row(*(x[row] for x in arrays))


class Isotonic(Rows):
    def row(self, x):
        blocks = []  # of (mean, length), the means rising
        for value in x.tolist():
            mean, length = value, 1
            while blocks and blocks[-1][0] >= mean:
                before, count = blocks.pop()
                mean = (mean * length + before * count) / (length + count)
                length += count
            blocks.append((mean, length))
        return np.repeat([mean for mean, _ in blocks], [length for _, length in blocks])

    def vjp(self, primals, cotangents, argnums, outputs):
        return [BlockMeans()(outputs[0], cotangents[0])]


class BlockMeans(Rows):
    """The mean of g over each run of equal values of y: linear in g, and its own transpose."""

    def row(self, y, g):
        starts = np.flatnonzero(np.diff(y, prepend=np.nan) != 0)
        lengths = np.diff(starts, append=len(y))
        return np.repeat(np.add.reduceat(g, starts) / lengths, lengths)

    def vjp(self, primals, cotangents, argnums, outputs):
        return [None if i == 0 else BlockMeans()(primals[0], cotangents[0]) for i in argnums]


isotonic = Isotonic()


def main():
    mx.random.seed(7)
    truth = mx.linspace(0, 4, 24)
    noise = mx.random.normal((8, 24))
    straight = mx.vmap(isotonic)(truth + noise)
    worst = mx.square(noise).mean().item()
    better = mx.square(straight - truth).mean().item()
    print(f"mean squared error: {worst:.3f} measured, {better:.3f} made to rise")

    @mx.compile
    def loss(weights):
        return mx.square(isotonic(truth + weights[:, None] * noise) - truth).mean()

    weights = mx.ones(8)
    for _ in range(40):
        weights = weights - 8 * mx.grad(loss)(weights)
    print(f"after 40 steps of gradient descent: {loss(weights).item():.3f}")

    x, step = mx.array([3.0, 1.0, 2.0, 5.0, 4.0]), mx.array([0.0, 0.01, 0.0, 0.0, 0.0])
    slope = mx.grad(lambda x: mx.square(isotonic(x)).sum())(x)
    around = (mx.square(isotonic(x + step)).sum() - mx.square(isotonic(x - step)).sum()) / 0.02
    print(f"a gradient, and by differences: {slope[1].item():.3f} {around.item():.3f}")


if __name__ == "__main__":
    main()
