// Copies of arrays inside eval_cpu.
#pragma once

#include <complex>
#include <stdexcept>
#include <type_traits>

#include "mlx/backend/common/copy.h"
#include "mlx/backend/cpu/encoder.h"

namespace mlx::core {

namespace detail {

// Calls f with a value of the C++ type of the dtype.
template <class F>
void with_type(heddle::Dtype dtype, F&& f) {
  heddle::visit_dtype(dtype, [&](auto tag) { f(typename decltype(tag)::type{}); });
}

template <class To, class From>
To converted(From value) {
  constexpr bool from_complex = std::is_same_v<From, heddle::complex64_t>;
  constexpr bool to_complex = std::is_same_v<To, heddle::complex64_t>;
  if constexpr (from_complex && !to_complex) {
    return converted<To>(value.real());
  } else if constexpr (to_complex && !from_complex) {
    return To(static_cast<float>(value), 0);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace detail

// Elements of `source` to places of `target`, which has memory: `shape` of them, from the offsets
// on, each array with strides of its own, in elements; converted to the target's dtype.
inline void copy_cpu_inplace(const array& source, array& target, const Shape& shape,
                             const Strides& source_strides, const Strides& target_strides,
                             int64_t source_offset, int64_t target_offset, CopyType kind, Stream) {
  const size_t count = static_cast<size_t>(heddle::element_count(detail::in(shape)));
  detail::with_type(source.dtype(), [&](auto from) {
    detail::with_type(target.dtype(), [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const From* in = source.data<From>() + source_offset;
      To* out = target.data<To>() + target_offset;
      for (size_t i = 0; i < count; i++) {
        const int64_t at = static_cast<int64_t>(i);
        const int64_t read = kind == CopyType::Scalar   ? 0
                             : kind == CopyType::Vector ? at
                                                        : elem_to_loc(at, shape, source_strides);
        const int64_t write =
            kind == CopyType::GeneralGeneral ? elem_to_loc(at, shape, target_strides) : at;
        out[write] = detail::converted<To>(in[read]);
      }
    });
  });
}
inline void copy_cpu_inplace(const array& source, array& target, CopyType kind, Stream stream) {
  const Shape& shape = kind == CopyType::Scalar ? target.shape() : source.shape();
  copy_cpu_inplace(source, target, shape, source.strides(), target.strides(), 0, 0, kind, stream);
}

// The same into new memory of the target.
inline void copy_cpu(const array& source, array& target, CopyType kind, Stream stream) {
  const bool shared = set_copy_output_data(source, target, kind);
  if (shared && source.dtype() == target.dtype()) return;
  copy_cpu_inplace(source, target, kind == CopyType::GeneralGeneral ? CopyType::General : kind,
                   stream);
}

// A dense row-major array with the same elements.
inline array contiguous_copy_cpu(const array& source, Stream stream) {
  array copy(source.shape(), source.dtype(), nullptr, {});
  copy_cpu(source, copy, CopyType::General, stream);
  return copy;
}

}  // namespace mlx::core
