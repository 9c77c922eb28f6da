// A few rows times a packed matrix: bound by memory, so elements go from bits to registers and are
// never stored.
#include "cpu/quantized_matmul.h"
#include "cpu/scratch.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu {

void quantized_vectors(const void* x, int64_t rows, const QuantizedMatrix& m, Dtype dtype,
                       void* out) {
  const int64_t n = rows * m.columns;
  Scratch wide(static_cast<size_t>(n) * sizeof(float));
  tile::copy({const_cast<void*>(x), dtype, {n}, {1}}, {wide.data(), Dtype::float32, {n}, {1}});
  const int bits = m.format.bits;
  const bool in_order = bits == 3 || bits == 5 || bits == 6;
  (in_order ? quantized_vectors_in_order : quantized_vectors_by_words)(wide.as<float>(), rows, m,
                                                                       dtype, out);
}

}  // namespace heddle::cpu
