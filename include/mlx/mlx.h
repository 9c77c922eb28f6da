// For C++ programs written for MLX: heddle's types and functions under MLX's names,
// `mlx::core::...`. Optional; nothing in heddle includes it. A program changes nothing but what it
// links:
//   find_package(heddle), target_link_libraries(... heddle::heddle)
//
// Every header of MLX that a program includes is here. Not there, because heddle's engine has
// no such thing: primitives of the caller's own (derive from heddle::Op), streams of a GPU,
// distributed groups, the settings of MLX's environment (`env`), classes inside Dtype (a Dtype is
// an enumeration; categories are `floating`, `inexact`, ...), and the callback form of export with
// MLX's dictionary (heddle's callback takes an ExportRecord).
#pragma once

#include "mlx/array.h"
#include "mlx/export.h"
#include "mlx/fast.h"
#include "mlx/io.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "mlx/utils.h"
