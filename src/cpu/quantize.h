// Quantizing and restoring matrices in memory.
#pragma once

#include <cstdint>

#include "core/quantization.h"
#include "core/view.h"

namespace heddle::cpu {

// A packed matrix with its scales (and biases), all row-major.
struct QuantizedMatrix {
  Quantization format;
  int64_t rows = 0, columns = 0;  // columns in elements, a multiple of the group size
  const uint32_t* words = nullptr;
  const uint32_t* words_end = nullptr;  // of memory that may be read, at or after this matrix's end
  const void* scales = nullptr;
  const void* biases = nullptr;  // affine only
  Dtype dtype = Dtype::float32;  // of scales and biases, if affine
  float factor = 1;              // on all scales (nvfp4)

  int64_t groups() const { return columns / format.group_size; }  // of one row
};

// Packs `w` (row-major; float32, float16 or bfloat16; its last axis a multiple of the group size).
// Scales and biases get the dtype of w (affine) or a byte each. `global_scale` may be null. Threads
// share the work.
void quantize(const View& w, const Quantization& format, const float* global_scale, uint32_t* words,
              void* scales, void* biases);

// How an element is rounded to the dtype it is wanted in.
enum class Rounding : uint8_t {
  once,       // scale * q + bias, then rounded
  each_step,  // the product too, as a chain of ops in that dtype does
};

// Elements [first, first + n) of a row, both multiples of the group size, as float32, float16 or
// bfloat16.
void dequantize_run(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, Dtype dtype,
                    Rounding rounding, void* out);

}  // namespace heddle::cpu
