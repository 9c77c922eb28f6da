"""Collective operations of a group of one process, which give back what they get."""

from engines import DTYPES

from .spec import Arr, sample

SAMPLES = [
    sample(f"distributed.{name}", Arr(), dtypes=DTYPES, exact=True)
    for name in ("all_gather", "all_max", "all_min", "all_sum", "sum_scatter")
]
