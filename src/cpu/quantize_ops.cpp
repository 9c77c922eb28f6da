// Kernels of quantized matrices: from nodes to memory.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/threads.h"
#include "cpu/kernel.h"
#include "cpu/quantize.h"
#include "cpu/quantized_matmul.h"
#include "cpu/scratch.h"
#include "ops/quantized_matmul.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<Quantize> quantize_kernel([](const Work& w) {
  const auto& op = op_of<Quantize>(w);
  for (Node* out : w.outputs) out->allocate_dense();
  if (w.input(0).size() == 0) return;
  const Dense x(w.input(0));
  const float* global =
      op.has_global_scale ? reinterpret_cast<const float*>(w.input(1).data) : nullptr;
  quantize(x.view(), op.format, global, reinterpret_cast<uint32_t*>(w.output(0).data),
           w.output(1).data, op.format.affine() ? w.output(2).data : nullptr);
});

// A stack of packed matrices: input `first` and those after it.
class Matrices {
 public:
  Matrices(const Work& w, size_t first, const Quantization& format)
      : words_(w.input(first)), scales_(w.input(first + 1)) {
    if (format.affine()) biases_.emplace(w.input(first + 2));
    const Shape& shape = w.input(first).shape;
    one_.format = format;
    one_.rows = shape[shape.size() - 2];
    one_.columns = format.elements(shape.back());
    one_.dtype = w.input(first + 1).dtype;
    one_.words_end = words_.as<uint32_t>() + words_.view().size();
  }
  QuantizedMatrix operator[](int64_t i) const {
    QuantizedMatrix m = one_;
    const int64_t groups = m.rows * m.groups();
    auto at = [&](const Dense& d) {
      return d.as<char>() + i * groups * static_cast<int64_t>(size_of(d.view().dtype));
    };
    m.words = words_.as<uint32_t>() + i * m.rows * m.format.words(m.columns);
    m.scales = at(scales_);
    m.biases = biases_ ? at(*biases_) : nullptr;
    return m;
  }

 private:
  Dense words_, scales_;
  std::optional<Dense> biases_;
  QuantizedMatrix one_;
};

const RegisterKernel<Dequantize> dequantize_kernel([](const Work& w) {
  const auto& op = op_of<Dequantize>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Matrices matrices(w, 0, op.format);
  QuantizedMatrix all = matrices[0];
  if (op.has_global_scale) {
    all.factor = *reinterpret_cast<const float*>(w.input(2).data) / nvfp4_range;
  }
  const int64_t rows = out.size() / all.columns;
  const int64_t row_bytes = all.columns * static_cast<int64_t>(size_of(out.dtype));
  parallel_for(rows, std::max<int64_t>(1, parallel_grain / all.columns), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      dequantize_run(all, row, 0, all.columns, out.dtype, Rounding::each_step,
                     out.data + row * row_bytes);
    }
  });
});

const RegisterKernel<QuantizedMatmul> matmul_kernel([](const Work& w) {
  const auto& op = op_of<QuantizedMatmul>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Dense x(w.input(0));
  const Matrices matrices(w, 1, op.format);
  const Shape& shape = w.input(1).shape;
  const int64_t count = element_count(Shape(shape.begin(), shape.end() - 2));
  const int64_t columns = out.shape.back(), rows = out.size() / columns / count;
  const int64_t inner = w.input(0).shape.back();
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  for (int64_t i = 0; i < count; i++) {
    quantized_product(x.as<char>() + i * rows * inner * item, rows, matrices[i], op.transpose,
                      out.dtype, out.data + i * rows * columns * item);
  }
});

// Products that gather their operands are grouped by matrix, so that each is read once.
const RegisterKernel<GatherQMM> gather_kernel([](const Work& w) {
  const auto& op = op_of<GatherQMM>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Dense x(w.input(0));
  const Matrices matrices(w, 1, op.format);
  const Dense left(w.input(w.inputs.size() - 2)), right(w.input(w.inputs.size() - 1));
  const int64_t entries = w.input(0).shape[0], count = w.input(1).shape[0];
  const int64_t rows = w.input(0).shape[1], inner = w.input(0).shape[2], columns = out.shape.back();
  const int64_t products = right.view().size();
  const uint32_t *from = left.as<uint32_t>(), *by = right.as<uint32_t>();
  for (int64_t i = 0; i < products; i++) {
    if (from[i] >= entries || by[i] >= count) {
      throw std::out_of_range(fmt::format(
          "[gather_qmm] Indices ({}, {}) are out of range for {} and {} matrices.", from[i], by[i],
          entries, count));
    }
  }
  std::vector<int64_t> order(static_cast<size_t>(products));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return by[a] < by[b]; });
  const size_t item = size_of(out.dtype);
  const size_t in_bytes = static_cast<size_t>(rows * inner) * item;
  const size_t out_bytes = static_cast<size_t>(rows * columns) * item;
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && by[order[end]] == by[order[i]]) end++;
    const size_t group = end - i;
    Scratch gathered(group * in_bytes), product(group * out_bytes);
    for (size_t j = 0; j < group; j++) {
      std::memcpy(gathered.as<char>() + j * in_bytes,
                  x.as<char>() + from[order[i + j]] * in_bytes, in_bytes);
    }
    quantized_product(gathered.data(), static_cast<int64_t>(group) * rows, matrices[by[order[i]]],
                      op.transpose, out.dtype, product.data());
    for (size_t j = 0; j < group; j++) {
      std::memcpy(out.data + static_cast<size_t>(order[i + j]) * out_bytes,
                  product.as<char>() + j * out_bytes, out_bytes);
    }
    i = end;
  }
});

}  // namespace
}  // namespace heddle::cpu
