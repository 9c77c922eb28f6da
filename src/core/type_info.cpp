#include "heddle/type_info.h"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>

namespace heddle {
namespace {

void set(finfo& f, double largest, double epsilon, double normal) {
  f.max = largest;
  f.min = -largest;
  f.eps = epsilon;
  f.smallest_normal = normal;
}

template <class T>
void set(finfo& f) {
  using Limits = std::numeric_limits<T>;
  set(f, Limits::max(), Limits::epsilon(), Limits::min());
}

}  // namespace

finfo::finfo(Dtype t) : dtype(t == complex64 ? float32 : t) {
  if (!is_inexact(t)) {
    throw std::invalid_argument(fmt::format("[finfo] dtype {} is not inexact.", name_of(t)));
  }
  bits = static_cast<int>(size_of(dtype)) * 8;
  switch (dtype) {
    case Dtype::float16:
      set(*this, 65504.0, 0x1p-10, 0x1p-14);
      break;
    case Dtype::bfloat16:
      set(*this, 0x1.fep127, 0x1p-7, 0x1p-126);
      break;
    case Dtype::float64:
      set<double>(*this);
      break;
    default:
      set<float>(*this);
  }
}

iinfo::iinfo(Dtype t) : dtype(t), bits(static_cast<int>(size_of(t)) * 8) {
  if (!is_integer(t)) {
    throw std::invalid_argument(
        fmt::format("[iinfo] Only integer types supported but {} was provided", name_of(t)));
  }
  uint64_t all = UINT64_MAX >> (64 - bits);
  min = is_unsigned(t) ? 0 : INT64_MIN >> (64 - bits);
  max = is_unsigned(t) ? all : all >> 1;
}

}  // namespace heddle
