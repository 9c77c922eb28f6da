// A program beside what it was made of.
#include <algorithm>
#include <cmath>

#include "convert/program.h"
#include "heddle/ops.h"

namespace heddle {
namespace {

double usual_tolerance(Dtype t) {
  switch (t) {
    case Dtype::float16:
      return 2e-3;
    case Dtype::bfloat16:
      return 1.6e-2;
    default:
      return 1e-5;
  }
}

// The numbers of an array; of complex ones real and imaginary parts.
std::vector<double> numbers_of(const Array& a) {
  const Array parts = is_complex(a.dtype()) ? stack({real(a), imag(a)}) : a;
  const Array wide = contiguous(astype(flatten(parts), float64));
  eval({wide});
  const auto* data = static_cast<const double*>(wide.raw_data());
  return {data, data + wide.size()};
}

bool equal_integers(const Array& a, const Array& b) { return array_equal(a, b).item<bool>(); }

struct Comparison {
  double max_abs = 0, max_rel = 0;
  std::string problem;  // empty: within the tolerance
};

Comparison compare(const Array& a, const Array& b, Tolerance tolerance) {
  Comparison out;
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) {
    out.problem =
        fmt::format("it is {} of shape {}, the reference is {} of shape {}", name_of(a.dtype()),
                    to_string(a.shape()), name_of(b.dtype()), to_string(b.shape()));
    return out;
  }
  const bool exact = !is_inexact(a.dtype());
  if (exact && equal_integers(a, b)) return out;
  const double limit = tolerance.relative >= 0 ? tolerance.relative : usual_tolerance(a.dtype());
  const std::vector<double> x = numbers_of(a), y = numbers_of(b);
  double scale = 0;
  for (double v : y) {
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  }
  for (size_t i = 0; i < x.size(); i++) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double distance = std::abs(x[i] - y[i]);
    const double bound = std::abs(y[i]) + scale;
    const bool finite = std::isfinite(x[i]) && std::isfinite(y[i]);
    if (finite) {
      out.max_abs = std::max(out.max_abs, distance);
      if (bound > 0) out.max_rel = std::max(out.max_rel, distance / bound);
    }
    const bool fits = finite && !exact && distance <= limit * bound;
    if (!fits && out.problem.empty()) {
      out.problem = fmt::format("element {} is {}, the reference has {}", i, x[i], y[i]);
    }
  }
  // Beyond 2^53 different integers may be one double.
  if (exact && out.problem.empty()) out.problem = "integers differ";
  return out;
}

}  // namespace

Verification Program::verify(const Reference& reference, const Arrays& args,
                             const NamedArguments& named, Tolerance tolerance) const {
  Verification out;
  const Arrays expected = reference.function(args, named);
  const Arrays results = (*this)(args, named);
  if (results.size() != expected.size()) {
    out.ok = false;
    out.problem =
        fmt::format("there are {} results, the reference has {}", results.size(), expected.size());
    return out;
  }
  for (size_t k = 0; k < results.size(); k++) {
    const Comparison c = compare(results[k], expected[k], tolerance);
    out.max_abs = std::max(out.max_abs, c.max_abs);
    out.max_rel = std::max(out.max_rel, c.max_rel);
    if (out.ok && !c.problem.empty()) {
      out.ok = false;
      out.problem = fmt::format("result {}: {}", k, c.problem);
    }
  }
  if (out.ok || !reference.value_of) return out;
  convert::Building how;
  how.built = [&](const convert::Call& c, const Arrays& values) {
    for (size_t k = 0; k < values.size() && out.first_diverging_op.empty(); k++) {
      const int slot = c.first_output + static_cast<int>(k);
      const Array wanted = reference.value_of(c.origin, state_->calls.name_of(slot));
      if (!wanted || compare(values[k], wanted, tolerance).problem.empty()) continue;
      out.first_diverging_op = c.name;
      out.origin = c.origin;
    }
  };
  Arrays inputs = args;
  for (const auto& [name, array] : named) inputs.push_back(array);
  convert::build(state_->calls, *state_->dialect, inputs, how);
  return out;
}

}  // namespace heddle
