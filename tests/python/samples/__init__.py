"""The sample inputs of every public function: one table per op family."""

from engines import IS_HEDDLE

from . import (
    block_products,
    convolution,
    creation,
    custom,
    distributed,
    fast,
    fft,
    indexing,
    linalg,
    pointwise,
    products,
    quantized,
    random,
    recurrent,
    reduce,
    scan,
    shape,
    sort,
)
from .spec import in_mlx

FAMILIES = (
    pointwise,
    reduce,
    scan,
    shape,
    creation,
    indexing,
    sort,
    products,
    block_products,
    quantized,
    random,
    fast,
    convolution,
    linalg,
    fft,
    recurrent,
    custom,
    distributed,
)
SAMPLES = [
    sample
    for family in FAMILIES
    for sample in family.SAMPLES
    if IS_HEDDLE or sample.call is not None or in_mlx(sample.function)
]
