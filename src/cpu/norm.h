// Layer norm and root-mean-square norm over the last axis, with their derivatives.
// float16 and bfloat16 are computed in float32. x.dtype() is floating; outputs are row-contiguous
// with dtypes on its lane; an output may be the memory that x (or the cotangent) reads element for
// element. weight, bias: 1-D of the row's length, any floating dtype and stride, or null (1 and 0).
// Parallel over rows; no result depends on the number of threads.
#pragma once

#include "core/view.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

// out = (x - mean) / sqrt(variance + eps) * weight + bias, the variance without correction.
void layer_norm(const tile::Source& x, const View* weight, const View* bias, double eps,
                const View& out);

// out = x / sqrt(mean(x^2) + eps) * weight.
void rms_norm(const tile::Source& x, const View* weight, double eps, const View& out);

// The cotangents of x, weight and bias for the cotangent of the result (of x's shape, on x's lane).
// gw and gb are dense, of the row's length; null where not wanted.
void layer_norm_vjp(const tile::Source& x, const View* weight, const tile::Source& cotangent,
                    double eps, const View& gx, const View* gw, const View* gb);
void rms_norm_vjp(const tile::Source& x, const View* weight, const tile::Source& cotangent,
                  double eps, const View& gx, const View* gw);

}  // namespace heddle::cpu
