// For C++ programs written for MLX: MLX's C++ interface, `mlx::core::...`, computed by heddle.
// Optional; nothing in heddle includes it. A program changes nothing but what it links:
//   find_package(heddle), target_link_libraries(... heddle::heddle)
//
// Types and overloads are MLX's own, so that calls resolve as they do there; arrays convert to
// heddle::Array and back where both interfaces meet.
#pragma once

#include "mlx/array.h"
#include "mlx/backend/cuda/cuda.h"
#include "mlx/backend/gpu/device_info.h"
#include "mlx/backend/metal/metal.h"
#include "mlx/compile.h"
#include "mlx/device.h"
#include "mlx/distributed/distributed.h"
#include "mlx/distributed/ops.h"
#include "mlx/einsum.h"
#include "mlx/export.h"
#include "mlx/fast.h"
#include "mlx/fft.h"
#include "mlx/graph_utils.h"
#include "mlx/io.h"
#include "mlx/linalg.h"
#include "mlx/memory.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/stream.h"
#include "mlx/transforms.h"
#include "mlx/utils.h"
#include "mlx/version.h"
