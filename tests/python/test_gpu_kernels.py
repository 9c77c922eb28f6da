"""Kernels for GPUs: programs that describe them at import run; calling one is refused by name."""

import heddle.core as mx
import pytest

from side_by_side import assert_same

DESCRIPTION = "name='k', input_names=['x'], output_names=['y'], source='y[0] = x[0];'"
CALL = (
    "inputs=[mx.ones(2)], grid=(1, 1, 1), threadgroup=(1, 1, 1), output_shapes=[(2,)], "
    "output_dtypes=[mx.float32]"
)


@pytest.mark.parametrize("kind", ["metal", "cuda"])
def test_described_but_not_called(kind):
    names = {"mx": mx}
    kernel = eval(f"mx.fast.{kind}_kernel({DESCRIPTION})", names)
    for options in ("", ", template=[('T', mx.float32)], init_value=0", ", stream=mx.cpu"):
        with pytest.raises(RuntimeError, match=rf"\[{kind}_kernel\] No \w+ back-end"):
            eval(f"kernel({CALL}{options})", names | {"kernel": kernel})


EXPRESSIONS = f"""
mx.fast.metal_kernel({DESCRIPTION})({CALL})
mx.fast.metal_kernel({DESCRIPTION})()
mx.fast.metal_kernel('k', ['x'], [], '')
mx.fast.metal_kernel('k', ['x'], ['y'], '', compile_options={{'math_mode': 'foo'}})
mx.fast.metal_kernel('k', ['x'], ['y'], '', compile_options={{'foo': 1}})
mx.fast.metal_kernel('k', ['x'], ['y'], '', compile_options=3)
mx.fast.metal_kernel('k', 'x', ['y'])
mx.fast.cuda_kernel({DESCRIPTION})({CALL})
mx.fast.precompiled_cuda_kernel(name='k', compiled_source=b'', scalars=[], {CALL})
mx.metal.is_available(), mx.cuda.is_available(), mx.metal.device_info()
mx.metal.start_capture('x'), mx.metal.stop_capture()
mx.distributed.is_available(), mx.distributed.init().size()
mx.distributed.init(strict=True)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_mlx(expression):
    assert_same(expression, error_text=False)
