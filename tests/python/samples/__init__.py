"""The sample inputs of every public function: one table per op family."""

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
SAMPLES = [sample for family in FAMILIES for sample in family.SAMPLES]
