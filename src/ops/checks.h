// What the checks of ops are written with. All throw std::invalid_argument "[op] ..." (AxisError
// for axes), and cost next to nothing where nothing is wrong.
#pragma once

#include "core/node.h"

namespace heddle {

// "[op] text"
[[noreturn]] void refuse(std::string_view op, const std::string& text);
template <class... T>
[[noreturn]] void refuse(std::string_view op, fmt::format_string<T...> text, const T&... values) {
  refuse(op, fmt::vformat(text, fmt::make_format_args(values...)));
}

// How messages call an op: by its function's name.
struct OpName {
  std::string_view name;
  OpName(const Op& op) : name(op.name()) {}
  template <Statement T>
  OpName(const T&) : name(op_name<T>()) {}
};

namespace detail {
[[noreturn]] void refuse_count(OpName op, size_t given, size_t least, size_t most);
[[noreturn]] void refuse_dtype(OpName op, size_t input, Dtype given, Dtype wanted);
}  // namespace detail

constexpr size_t any_number = static_cast<size_t>(-1);

inline void require_inputs(OpName op, const Arrays& in, size_t least, size_t most) {
  if (in.size() < least || in.size() > most) [[unlikely]] {
    detail::refuse_count(op, in.size(), least, most);
  }
}
inline void require_inputs(OpName op, const Arrays& in, size_t count) {
  require_inputs(op, in, count, count);
}

// An attribute that counts an axis of an array of `ndim` dimensions, from the front, where that is
// not input 0 (see core/fields.h).
inline void require_axis(OpName op, int axis, int ndim) {
  if (axis < 0 || axis >= ndim) [[unlikely]]
    detail::refuse_axis(op.name, axis, ndim);
}

inline void require_dtype(OpName op, const Arrays& in, size_t i, Dtype wanted) {
  const Dtype given = node_of(in[i]).dtype;
  if (given != wanted) [[unlikely]]
    detail::refuse_dtype(op, i, given, wanted);
}
// All inputs have the dtype of the first.
inline void require_one_dtype(OpName op, const Arrays& in) {
  for (size_t i = 1; i < in.size(); i++) require_dtype(op, in, i, in[0].dtype());
}

void require_shape(const char* op, const char* what, const Array& a, const Shape& wanted);

// The dimensions before the last two, of matrices in stacks, agree. Where not even broadcasting
// them would do, it is said in the words of broadcasting.
void require_same_stacks(const char* op, const Array& a, const Array& b);

// a (..., M, K) and b (..., K, N).
[[noreturn]] void refuse_product(const char* op, const Shape& a, const Shape& b);
inline void require_product(const char* op, const Array& a, const Array& b) {
  if (a.shape(-1) != b.shape(-2)) [[unlikely]]
    refuse_product(op, a.shape(), b.shape());
}

void require_rank(const char* op, const char* what, const Array& a, int ndim);

}  // namespace heddle
