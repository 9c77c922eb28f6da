#include "ops/checks.h"

#include <algorithm>

#include "ops/util.h"

namespace heddle {

void refuse(std::string_view op, const std::string& text) {
  throw std::invalid_argument(fmt::format("[{}] {}", op, text));
}

void detail::refuse_count(OpName op, size_t given, size_t least, size_t most) {
  const std::string wanted = least == most        ? std::to_string(least)
                             : most == any_number ? fmt::format("{} or more", least)
                                                  : fmt::format("{} to {}", least, most);
  refuse(function_name_of(op.name), "{} inputs were given where {} are wanted.", given, wanted);
}

void detail::refuse_dtype(OpName op, size_t input, Dtype given, Dtype wanted) {
  refuse(function_name_of(op.name), "Input {} is {} where {} is wanted.", input, name_of(given),
         name_of(wanted));
}

void require_shape(const char* op, const char* what, const Array& a, const Shape& wanted) {
  if (a.shape() == wanted) return;
  refuse(op, "{} must have the shape {} but has {}.", what, to_string(wanted),
         to_string(a.shape()));
}

void require_rank(const char* op, const char* what, const Array& a, int ndim) {
  if (a.ndim() == ndim) return;
  refuse(op, "{} must have {} dimensions but has shape {}.", what, ndim, to_string(a.shape()));
}

void require_same_stacks(const char* op, const Array& a, const Array& b) {
  const Shape &x = a.shape(), &y = b.shape();
  if (x.size() < 2 || y.size() < 2) {
    refuse(op, "Matrices are wanted, but the inputs have shapes {} and {}.", to_string(x),
           to_string(y));
  }
  if (std::equal(x.begin(), x.end() - 2, y.begin(), y.end() - 2)) return;
  broadcast_shapes(Shape(x.begin(), x.end() - 2), Shape(y.begin(), y.end() - 2));
  refuse(op, "The stacks of matrices must agree, but the inputs have shapes {} and {}.",
         to_string(x), to_string(y));
}

void refuse_product(const char* op, const Shape& a, const Shape& b) {
  refuse(op,
         "Last dimension of first input with shape {} must match second to last "
         "dimension of second input with shape {}.",
         to_string(a), to_string(b));
}

}  // namespace heddle
