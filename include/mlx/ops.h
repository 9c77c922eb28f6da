// The operations in MLX's forms: each calls heddle's of the same name, where its contract is said.
#pragma once

#include "mlx/ops/conv.h"
#include "mlx/ops/creation.h"
#include "mlx/ops/index.h"
#include "mlx/ops/pointwise.h"
#include "mlx/ops/products.h"
#include "mlx/ops/reduce.h"
#include "mlx/ops/shape.h"
#include "mlx/ops/sort.h"
