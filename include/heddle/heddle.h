// The whole public interface. (For programs written for MLX there is mlx/mlx.h.)
#pragma once

#include "heddle/array.h"
#include "heddle/device.h"
#include "heddle/distributed.h"
#include "heddle/dtype.h"
#include "heddle/errors.h"
#include "heddle/export.h"
#include "heddle/io.h"
#include "heddle/memory.h"
#include "heddle/nn.h"
#include "heddle/ops.h"
#include "heddle/optim.h"
#include "heddle/primitive.h"
#include "heddle/shape.h"
#include "heddle/transforms.h"
#include "heddle/type_info.h"
#include "heddle/version.h"
