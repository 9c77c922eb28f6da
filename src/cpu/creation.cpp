#include "ops/creation.h"

#include "core/convert.h"
#include "core/threads.h"
#include "cpu/kernel.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<Arange> arange([](const Work& w) {
  const auto& op = op_of<Arange>(w);
  Node& out = w.output();
  out.allocate_dense();
  visit_dtype(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = reinterpret_cast<T*>(out.data);
    parallel_for(op.size, parallel_grain, [&](int64_t begin, int64_t end) {
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        // Unsigned arithmetic wraps, as the dtype does.
        uint64_t first = static_cast<uint64_t>(convert_value<int64_t>(op.start.value));
        uint64_t step = static_cast<uint64_t>(convert_value<int64_t>(op.step.value));
        for (int64_t i = begin; i < end; i++)
          to[i] = static_cast<T>(first + static_cast<uint64_t>(i) * step);
      } else {
        for (int64_t i = begin; i < end; i++) {
          // No step of infinity times zero.
          double value =
              i == 0 ? op.start.value : op.start + static_cast<double>(i) * op.step.value;
          to[i] = convert_value<T>(value);
        }
      }
    });
  });
});

const RegisterKernel<NumberOfElements> number_of_elements([](const Work& w) {
  Node& out = w.output();
  out.allocate_dense();
  visit_dtype(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    *reinterpret_cast<T*>(out.data) =
        convert_value<T>(op_of<NumberOfElements>(w).value(w.input(0).shape));
  });
});

}  // namespace
}  // namespace heddle::cpu
