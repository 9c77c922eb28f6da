"""Every benchmark, by name. A family file lists its works; only this place knows them all."""

from . import (
    calls,
    functions,
    layers,
    memory,
    overhead,
    pointwise,
    products,
    prompts,
    quantized,
    recurrent,
    reductions,
    sorting,
    training,
)

FAMILIES = (
    memory,
    products,
    prompts,
    quantized,
    pointwise,
    reductions,
    sorting,
    overhead,
    layers,
    recurrent,
    training,
    calls,
    functions,
)
WORKS = {work.name: work for family in FAMILIES for work in family.WORKS}
