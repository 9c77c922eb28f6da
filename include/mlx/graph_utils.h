// A name by which MLX's programs include it.
#pragma once

#include "mlx/mlx.h"
