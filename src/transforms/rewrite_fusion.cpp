// Rules for what is written out in parts: softmax, norms, products with a bias. Attention:
// rewrite_attention.cpp.
#include "heddle/ops/norm.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/softmax.h"
#include "transforms/pattern.h"
#include "transforms/rewrite_attention.h"

namespace heddle {
namespace {

using namespace pattern;

enum Hole { x, weight, eps };

// --- softmax

// exp(x - max x) / sum(exp(x - max x))
Array softmax_of_parts(const Site& site, const Array& a) {
  static const Pattern written = [] {
    const Pattern largest = largest_of_rows(any(x));
    const Pattern shift = either({largest, result_of<StopGradient>({largest})});
    const Pattern terms = operation(Code::exp, operation(Code::subtract, any(x), shift));
    const Pattern total = sum_of_rows(terms);
    return either({operation(Code::divide, terms, total),
                   operation(Code::multiply, terms, operation(Code::reciprocal, total))});
  }();
  const std::optional<Match> m = find(written, site, a);
  if (!m || !is_floating(a.dtype())) return Array();
  return softmax((*m)[x], -1, true, site.stream);
}

// --- norms: first without weight and bias, which then join one after the other

// Rows of numbers, normalized by themselves.
bool are_rows(const Array& rows, const Array& result) {
  return rows.ndim() > 0 && rows.shape(-1) > 0 && is_floating(rows.dtype()) &&
         rows.shape() == result.shape();
}

// x / sqrt(mean x^2 + eps)
Array rms_norm_of_parts(const Site& site, const Array& a) {
  static const Pattern written =
      over_root(any(x), operation(Code::add, mean_of_rows(squared(any(x))), number(eps)));
  const std::optional<Match> m = find(written, site, a);
  if (!m || m->number(eps) < 0 || !are_rows((*m)[x], a)) return Array();
  return fast::rms_norm((*m)[x], {}, static_cast<float>(m->number(eps)), site.stream);
}

// The RMS norm of x - mean x.
Array layer_norm_of_parts(const Site& site, const Array& a) {
  static const Pattern centred = operation(Code::subtract, any(x), mean_of_rows(any(x)));
  static const Pattern written =
      either({result_of<RMSNorm>({centred}), result_of<RMSNorm>({centred, any(weight)})});
  const std::optional<Match> m = find(written, site, a);
  if (!m || !are_rows((*m)[x], a)) return Array();
  const std::optional<Array> w = m->has(weight) ? std::optional((*m)[weight]) : std::nullopt;
  return fast::layer_norm((*m)[x], w, {}, made_by<RMSNorm>(a)->eps, site.stream);
}

// One number for each column of `rows`, as a vector; none if it is something else.
Array per_column(const Array& a, const Array& rows, const Stream& s) {
  const int64_t n = rows.shape(-1);
  if (a.dtype() != rows.dtype() || a.size() != n || a.ndim() == 0 || a.shape(-1) != n) {
    return Array();
  }
  return reshape(a, {n}, s);
}

Array norm_with_weight(const Site& site, const Array& a) {
  for (size_t i = 0; code_of(a) == Code::multiply && i < 2; i++) {
    const Array& norm = operand(a, i);
    const auto* layer = made_by<LayerNorm>(norm);
    const auto* rms = made_by<RMSNorm>(norm);
    if (!(layer && !layer->has_weight && !layer->has_bias) && !(rms && !rms->has_weight)) continue;
    if (site.uses(norm) != 1 || norm.shape() != a.shape()) continue;
    const Array w = per_column(operand(a, 1 - i), norm, site.stream);
    if (!w) continue;
    return layer ? fast::layer_norm(operand(norm), w, {}, layer->eps, site.stream)
                 : fast::rms_norm(operand(norm), w, rms->eps, site.stream);
  }
  return Array();
}

Array norm_with_bias(const Site& site, const Array& a) {
  for (size_t i = 0; code_of(a) == Code::add && i < 2; i++) {
    const Array& norm = operand(a, i);
    const auto* op = made_by<LayerNorm>(norm);
    if (!op || op->has_bias || site.uses(norm) != 1 || norm.shape() != a.shape()) continue;
    const Array b = per_column(operand(a, 1 - i), norm, site.stream);
    if (!b) continue;
    const std::optional<Array> w = op->has_weight ? std::optional(operand(norm, 1)) : std::nullopt;
    return fast::layer_norm(operand(norm), w, b, op->eps, site.stream);
  }
  return Array();
}

// A half widened, normalized and rounded again: what the operations do by themselves.
Array norm_of_halves(const Site& site, const Array& a) {
  if (!made_by<AsType>(a) || !is_half(a.dtype())) return Array();
  const Array& norm = operand(a);
  const bool is_norm = made_by<LayerNorm>(norm) || made_by<RMSNorm>(norm);
  if (!is_norm || norm.dtype() != float32 || site.uses(norm) != 1) return Array();
  Arrays in;
  for (const Array& wide : operands(norm)) {
    if (!made_by<AsType>(wide) || operand(wide).dtype() != a.dtype()) return Array();
    in.push_back(operand(wide));
  }
  return apply(norm.node()->op, std::move(in), site.stream);
}

// --- a product of matrices with a bias for each column

Array product_with_bias(const Site& site, const Array& a) {
  for (size_t i = 0; code_of(a) == Code::add && i < 2; i++) {
    // Rows in several dimensions are multiplied as one and then parted again.
    const Array& parted = operand(a, i);
    const auto* part = made_by<Unflatten>(parted);
    const Array& product = part ? operand(parted) : parted;
    if (!made_by<Matmul>(product) || parted.shape() != a.shape()) continue;
    if (site.uses(product) != 1 || site.uses(parted) != 1 || product.ndim() != 2) continue;
    if (part && part->axis != 0) continue;
    const Array b = per_column(operand(a, 1 - i), parted, site.stream);
    if (!b) continue;
    const Array sum = addmm(b, operand(product, 0), operand(product, 1), 1, 1, site.stream);
    return reshape(sum, a.shape(), site.stream);
  }
  return Array();
}

}  // namespace

Rules fusion_rules() {
  return {softmax_of_parts, rms_norm_of_parts, layer_norm_of_parts, norm_with_weight,
          norm_with_bias,   norm_of_halves,    product_with_bias,   attention_of_parts};
}

}  // namespace heddle
