// The operations, named and ordered as in MLX's C++ interface. Each builds a lazy node and returns
// at once; wrong shapes, dtypes and axes throw here. The last parameter says where it runs. Axes
// may be negative. Unless said otherwise an op keeps the dtype; operands of two dtypes are promoted
// to one (see dtype.h).
#pragma once

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/attention.h"
#include "heddle/ops/conv.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/fft.h"
#include "heddle/ops/index.h"
#include "heddle/ops/linalg.h"
#include "heddle/ops/norm.h"
#include "heddle/ops/pointwise.h"
#include "heddle/ops/products.h"
#include "heddle/ops/quantized.h"
#include "heddle/ops/random.h"
#include "heddle/ops/recurrent.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/scan.h"
#include "heddle/ops/shape.h"
#include "heddle/ops/sort.h"
