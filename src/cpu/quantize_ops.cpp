// Kernels of quantized matrices: from nodes to memory.
#include <algorithm>
#include <optional>

#include "core/threads.h"
#include "cpu/gather_groups.h"
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
  parallel_for(rows, std::max<int64_t>(1, parallel_grain / all.columns),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; row++) {
                   dequantize_run(all, row, 0, all.columns, out.dtype, Rounding::each_step,
                                  out.data + row * row_bytes);
                 }
               });
});

// Some rows at a time, through memory that stays in the cache.
const RegisterKernel<QuantizedRounding> rounding_kernel([](const Work& w) {
  const auto& op = op_of<QuantizedRounding>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Dense x(w.input(0));
  const float* global =
      op.has_global_scale ? reinterpret_cast<const float*>(w.input(1).data) : nullptr;
  const int64_t columns = out.shape.back(), rows = out.size() / columns;
  const int64_t item = static_cast<int64_t>(size_of(out.dtype));
  const int64_t words = op.format.words(columns), groups = columns / op.format.group_size;
  parallel_for(rows, std::max<int64_t>(1, parallel_grain / columns),
               [&](int64_t begin, int64_t end) {
                 Scratch packed(static_cast<size_t>(words) * sizeof(uint32_t)),
                     scales(static_cast<size_t>(groups));
                 QuantizedMatrix m{
                     op.format,    1, columns, packed.as<uint32_t>(), packed.as<uint32_t>() + words,
                     scales.data()};
                 if (global) m.factor = *global / nvfp4_range;
                 for (int64_t row = begin; row < end; row++) {
                   const View one{const_cast<char*>(x.as<char>()) + row * columns * item,
                                  out.dtype,
                                  {1, columns},
                                  {columns, 1}};
                   quantize(one, op.format, global, packed.as<uint32_t>(), scales.data(), nullptr);
                   dequantize_run(m, 0, 0, columns, out.dtype, Rounding::once,
                                  out.data + row * columns * item);
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

const RegisterKernel<GatherQMM> gather_kernel([](const Work& w) {
  const auto& op = op_of<GatherQMM>(w);
  Node& out = w.output();
  out.allocate_dense();
  if (out.size() == 0) return;
  const Matrices matrices(w, 1, op.format);
  const Dense x(w.input(0)), left(w.input(w.inputs.size() - 2)),
      right(w.input(w.inputs.size() - 1));
  each_gathered_matrix("gather_qmm", x, left, right, w.input(1).shape[0], out,
                       [&](const void* rows, int64_t count, int64_t matrix, void* results) {
                         quantized_product(rows, count, matrices[matrix], op.transpose, out.dtype,
                                           results);
                       });
});

}  // namespace
}  // namespace heddle::cpu
