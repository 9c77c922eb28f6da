"""Runs exported functions in MLX, in a process of its own: `python run_exported.py FOLDER`.

FOLDER/jobs.json lists [file, family, number of the sample, dtype]; the inputs are drawn here again.
FOLDER/results.pickle gets for each file the results as (dtype, NumPy array), or the error's text.
"""

import json
import pickle
import sys
from pathlib import Path

import mlx.core as mlx

import samples
from engines import dtype_name, to_numpy


def run(folder: Path) -> None:
    """Run every job."""
    results = {}
    for file, family, number, dtype in json.loads((folder / "jobs.json").read_text()):
        print(file, flush=True)  # the last one, if the process dies
        sample = samples.FAMILIES[family].SAMPLES[number]
        arrays = sample.engine_arrays(mlx, sample.draw(dtype))
        try:
            given = mlx.import_function(str(folder / file))(*arrays)
            results[file] = [(dtype_name(value.dtype), to_numpy(value)) for value in given]
        except Exception as error:  # every refusal is a result
            results[file] = repr(error)
    (folder / "results.pickle").write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
