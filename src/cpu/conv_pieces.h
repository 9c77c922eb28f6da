// Convolutions by oneDNN, cut into pieces that one thread computes each.
#pragma once

#include "cpu/dnnl.h"

namespace heddle::cpu {

// As onednn::convolution, on all threads. Weights of direction backward_weights are dense.
void convolve(const onednn::ConvRequest& request, void* src, void* weights, void* dst);

}  // namespace heddle::cpu
