#include "ops/hadamard.h"

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/products.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/util.h"

namespace heddle {
namespace {

// Sizes of the matrices that powers of two multiply.
bool has_hadamard_matrix(int64_t n) {
  while (n > 0 && n % 2 == 0) {
    if (n == 12 || n == 20 || n == 28) return true;
    n /= 2;
  }
  return n == 1;
}

}  // namespace

void Hadamard::check(const Arrays& in) const {
  require_inputs(*this, in, 1);
  if (in[0].ndim() == 0 || !is_floating(in[0].dtype())) {
    refuse("hadamard",
           "Rows of a floating type are wanted, but the input is {} of "
           "shape {}.",
           name_of(in[0].dtype()), to_string(in[0].shape()));
  }
  int64_t n = in[0].shape(-1);
  if (!has_hadamard_matrix(n)) {
    refuse("hadamard", "Only supports n = m*2^k where m in (1, 12, 20, 28), but n is {}.", n);
  }
}

Avals Hadamard::infer(const Arrays& in) const { return {{in[0].shape(), in[0].dtype()}}; }

std::optional<Arrays> Hadamard::vjp(const Pull& p) const {
  return Arrays{apply(make_op<Hadamard>(scale, orthonormal, !transposed), {p.g[0]}, p.stream)};
}

Array hadamard_transform(const Array& a, std::optional<float> scale, StreamOrDevice s) {
  Stream stream = to_stream(s);
  if (a.size() == 0) {
    refuse("hadamard_transform", "Does not support empty arrays.");
  }
  Array x = is_floating(a.dtype()) ? a : astype(a, float32, stream);
  bool scalar = a.ndim() == 0;
  if (scalar) x = reshape(x, {1}, stream);
  Array out = apply(make_op<Hadamard>(scale.value_or(1.0f), !scale, false), {x}, stream);
  return scalar ? reshape(out, {}, stream) : out;
}

}  // namespace heddle
