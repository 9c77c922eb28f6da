"""What of `mlx.core` has no samples, each with the reason, and what MLX itself gets wrong."""

from engines import COMPLEX, FLOATS

_REASONS = {
    "no array results: tested with promotion in test_dtypes.py": (
        "can_cast isdtype issubdtype result_type"
    ),
    "a transformation or an evaluation: tested in test_transforms.py": (
        "async_eval checkpoint compile disable_compile enable_compile eval grad jvp value_and_grad "
        "vjp vmap"
    ),
    "streams and devices: tested in test_streams.py": (
        "clear_streams default_device default_stream device_count device_info is_available "
        "new_stream new_thread_local_stream new_thread_unsafe_stream set_default_device "
        "set_default_stream stream synchronize"
    ),
    "memory statistics: tested in test_memory.py": (
        "clear_cache get_active_memory get_array_buffer_size get_cache_memory get_memory_limit "
        "get_peak_memory reset_peak_memory set_cache_limit set_memory_limit set_wired_limit"
    ),
    "printing: tested in test_printing.py": "get_printoptions printoptions set_printoptions",
    "files: tested in test_files*.py and test_safetensors.py": (
        "save save_gguf save_safetensors savez savez_compressed"
    ),
    "functions as files: tested in test_export.py": (
        "FunctionExporter export_function export_to_dot exporter import_function"
    ),
    "kernels for a GPU, refused at the call: tested in test_gpu_kernels.py": (
        "fast.cuda_kernel fast.metal_kernel fast.precompiled_cuda_kernel"
    ),
    "what a GPU would have: tested in test_gpu_kernels.py and test_memory.py": (
        "cuda.is_available metal.clear_cache metal.device_info metal.get_active_memory "
        "metal.get_cache_memory metal.get_peak_memory metal.is_available metal.reset_peak_memory "
        "metal.set_cache_limit metal.set_memory_limit metal.set_wired_limit metal.start_capture "
        "metal.stop_capture"
    ),
    "a group of one has nobody to talk to: tested in test_nn_distributed.py": (
        "distributed.init distributed.is_available distributed.recv distributed.recv_like "
        "distributed.send"
    ),
}
_LATER: dict[str, str] = {}


def _by_name(reasons):
    return {name: reason for reason, names in reasons.items() for name in names.split()}


# Names that MLX has and heddle does not have yet.
NOT_YET = _by_name(_LATER)
OUT_OF_SCOPE = _by_name(_REASONS) | NOT_YET

# What MLX 0.32.4 itself gets wrong, by test: beginnings of sample names. Asked of heddle all the
# same; only a check of these tests against MLX expects the failure.
_HALVES = ("softmax-long",)  # adds 1,031 exponentials in half precision
_VMAP = (
    "divmod",  # moves an axis number that nothing has set
    *("bitwise_", "left_shift", "right_shift", "array-operator_bits"),  # ignore the mapped axis
    *("array-write-", "array-at-"),  # a slice write ignores the mapped axis
    *("slice", "addmm", "conv3d", "conv_transpose3d"),  # no rule, or refused
    *("isclose", "allclose", "array_equal"),  # reduce over the mapped axis as well
    "searchsorted",  # refuses a mapped sorted sequence
)
MLX_FAILS = {
    "test_value": _HALVES,
    "test_grad": (*_HALVES, "full-array", "power-complex", "cumprod-axis1", "remainder-row"),
    "test_jvp_against_vjp": ("full-array", "addmm"),
    "test_vmap_against_loop": (*_HALVES, *_VMAP),
}

# Gradients of MLX 0.32.4 that differences refute (test_grad shows it, run on MLX): the beginning of
# a sample's name, and the dtype.
MLX_WRONG_GRADIENTS = (
    ("softmax-long", "float16"),  # from sums in half precision
    ("softmax-long", "bfloat16"),
    ("cumprod", "complex64"),  # neither factor is conjugated
    ("power-complex", "complex64"),  # neither factor is conjugated
    *(("divmod", dtype) for dtype in FLOATS),  # no gradient flows through the remainder
    *(("full-array", dtype) for dtype in (*FLOATS, *COMPLEX)),  # multiplied by the values
    # Through the matrix again, not its transpose, which differs where 20 or 28 is a factor.
    *((f"hadamard_transform-{n}", dtype) for n in (20, 28, 40, 112) for dtype in FLOATS),
    ("block_masked_mm-scaled", "float32"),  # of the masks
)
