// A name by which MLX's programs include it.
#pragma once

#include "mlx/types/half_types.h"
