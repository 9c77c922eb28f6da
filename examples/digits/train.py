"""Trains a small network on the handwritten digits that scikit-learn carries.

1,797 images of 8 x 8 pixels; a fifth of them is kept for the test. Exits with 1 unless more than
97 % of these are recognized.

    python examples/digits/train.py
"""

from __future__ import annotations

import sys
import time
from functools import partial

import heddle.core as mx

import heddle.nn as nn
import heddle.optimizers as optim

WANTED = 0.97
EPOCHS = 15
BATCH = 64


class Net(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.output = nn.Linear(4 * 4 * 32, 10)

    def __call__(self, x: mx.array) -> mx.array:
        x = nn.relu(self.conv1(x))
        x = self.pool(nn.relu(self.conv2(x)))
        return self.output(x.flatten(1))


def load_digits() -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """Images and labels for training, then for the test."""
    try:
        from sklearn import datasets
    except ImportError:
        sys.exit("train.py: scikit-learn is missing (hint: pip install scikit-learn)")
    digits = datasets.load_digits()
    images = mx.array(digits.images.astype("float32") / 16)[..., None]
    labels = mx.array(digits.target.astype("int32"))
    order = mx.random.permutation(len(labels))
    images, labels = images[order], labels[order]
    test = len(labels) // 5
    return images[test:], labels[test:], images[:test], labels[:test]


def main() -> int:
    mx.random.seed(0)
    images, labels, test_images, test_labels = load_digits()
    model = Net()
    optimizer = optim.Adam(learning_rate=2e-3)
    mx.eval(model.parameters())

    def loss_fn(x: mx.array, y: mx.array) -> mx.array:
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    loss_and_grad = nn.value_and_grad(model, loss_fn)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x: mx.array, y: mx.array) -> mx.array:
        loss, gradients = loss_and_grad(x, y)
        optimizer.update(model, gradients)
        return loss

    def accuracy() -> float:
        return mx.mean(mx.argmax(model(test_images), axis=1) == test_labels).item()

    start = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        order = mx.random.permutation(len(labels))
        total = 0.0
        batches = len(labels) // BATCH
        for i in range(batches):
            batch = order[i * BATCH : (i + 1) * BATCH]
            loss = step(images[batch], labels[batch])
            mx.eval(loss, state)
            total += loss.item()
        if epoch % 5 == 0:
            print(f"epoch {epoch:2}: loss {total / batches:.4f}, test accuracy {accuracy():.2%}")

    reached = accuracy()
    seconds = time.perf_counter() - start
    print(f"Trained in {seconds:.1f} s; {reached:.2%} of {len(test_labels)} test images recognized")
    if reached <= WANTED:
        print(f"train.py: wanted more than {WANTED:.0%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
