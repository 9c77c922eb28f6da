// heddle's own decompositions, found again. What decompose() builds on placeholders is compared
// with the graph op by op, so that no formula is written here a second time.
#include <functional>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/reduce.h"
#include "ops/attention.h"
#include "ops/matmul.h"
#include "ops/norm.h"
#include "ops/softmax.h"
#include "transforms/pattern.h"

namespace heddle {
namespace {

// Stands for the one number that an op has as an attribute, while it is not known.
constexpr float unknown = 0.7310586f;

// A graph and a drawing of it.
class Comparison {
 public:
  // `leaves` stand for any arrays.
  Comparison(const Site& site, const Arrays& leaves)
      : leaves(leaves.size()), site_(site), stand_ins_(leaves) {}

  bool same(const Array& drawn, const Array& a) {
    for (size_t i = 0; i < stand_ins_.size(); i++) {
      if (drawn.same_as(stand_ins_[i])) return bind(leaves[i], a);
    }
    auto [at, is_new] = met_.emplace(drawn.node(), a);
    if (!is_new) return at->second.same_as(a);
    if (drawn.shape() != a.shape() || drawn.dtype() != a.dtype()) return false;
    if (const std::optional<Array> known = site_.constant(a)) return same_value(drawn, *known);
    const Op *op = maker(drawn), *other = maker(a);
    if (!op || !other || !op->equals(*other)) return false;
    parts.push_back(a);
    const Arrays &in = operands(drawn), &given = operands(a);
    if (in.size() != given.size()) return false;
    for (size_t i = 0; i < in.size(); i++) {
      if (!same(in[i], given[i])) return false;
    }
    return true;
  }

  Arrays leaves;
  Arrays parts;
  std::optional<double> number;  // in the place of the unknown one

 private:
  static bool bind(Array& held, const Array& a) {
    if (held) return held.same_as(a);
    held = a;
    return true;
  }

  bool same_value(const Array& drawn, const Array& known) {
    if (drawn.node()->tracer || known.node()->tracer) return false;
    if (drawn.size() == 1 && array_equal(drawn, Array(unknown, drawn.dtype())).item<bool>()) {
      const double value = astype(known, float64).item<double>();
      if (number) return *number == value;
      number = value;
      return true;
    }
    return array_equal(drawn, known, true).item<bool>();
  }

  const Site& site_;
  const Arrays& stand_ins_;
  std::unordered_map<const Node*, Array> met_;
};

// An op of unknown attribute for inputs of these shapes; `with` makes it with the number found.
struct Candidate {
  Avals inputs;
  std::function<OpRef(float)> with;
};

Array found(const Site& site, const Array& a, const Candidate& candidate) {
  Arrays leaves;
  for (const Aval& aval : candidate.inputs) leaves.push_back(placeholder(aval.shape, aval.dtype));
  const Arrays drawn = *candidate.with(unknown)->decompose(leaves, site.stream);
  Comparison comparison(site, leaves);
  if (!comparison.same(drawn[0], a) || !pattern::is_closed(site, comparison.parts, a)) {
    return Array();
  }
  for (size_t i = 0; i < leaves.size(); i++) {
    if (!comparison.leaves[i] || comparison.leaves[i].shape() != leaves[i].shape()) return Array();
  }
  const float number = static_cast<float>(comparison.number.value_or(unknown));
  return apply(candidate.with(number), comparison.leaves, site.stream);
}

// The first array within `depth` ops behind `a` that fits.
Array behind(const Array& a, int depth, const std::function<bool(const Array&)>& fits) {
  if (fits(a)) return a;
  if (depth == 0 || !maker(a)) return Array();
  for (const Array& in : operands(a)) {
    if (Array there = behind(in, depth - 1, fits)) return there;
  }
  return Array();
}

Array norm_taken_apart(const Site& site, const Array& a) {
  const bool is_last = code_of(a) == Code::multiply || code_of(a) == Code::add ||
                       (made_by<AsType>(a) && is_half(a.dtype()));
  auto is_root = [](const Array& x) { return code_of(x) == Code::rsqrt; };
  if (!is_last || !is_floating(a.dtype()) || a.ndim() == 0 || !behind(a, 6, is_root)) {
    return Array();
  }
  const Aval rows{a.shape(), a.dtype()}, row{{a.shape(-1)}, a.dtype()};
  for (const bool w : {true, false}) {
    for (const bool b : {true, false}) {
      Avals inputs{rows};
      if (w) inputs.push_back(row);
      if (b) inputs.push_back(row);
      const Array layer =
          found(site, a, {inputs, [=](float eps) { return make_op<LayerNorm>(eps, w, b); }});
      if (layer) return layer;
    }
    Avals inputs{rows};
    if (w) inputs.push_back(row);
    const Array rms = found(site, a, {inputs, [=](float eps) { return make_op<RMSNorm>(eps, w); }});
    if (rms) return rms;
  }
  return Array();
}

Array attention_taken_apart(const Site& site, const Array& a) {
  if (!keeps_order(maker(a)) || a.ndim() != 4 || code_of(operand(a)) != Code::add) return Array();
  const Array& mixed = operand(operand(a));
  if (!made_by<Matmul>(mixed) || mixed.ndim() != 5) return Array();
  const Array weights =
      behind(operand(mixed), 2, [](const Array& x) { return made_by<Softmax>(x) != nullptr; });
  if (!weights) return Array();
  const Array scores =
      behind(operand(weights), 8, [](const Array& x) { return made_by<Matmul>(x) != nullptr; });
  if (!scores || scores.ndim() != 5) return Array();

  const Shape& s = scores.shape();  // batch, key heads, queries of each, rows, columns
  const Dtype t = a.dtype();
  const int64_t heads = s[1] * s[2], depth = operand(scores).shape(-1);
  const Avals operands{{{s[0], heads, s[3], depth}, t},
                       {{s[0], s[1], s[4], depth}, t},
                       {{s[0], s[1], s[4], a.shape(-1)}, t}};
  for (const bool causal : {false, true}) {
    for (const bool has_sinks : {false, true}) {
      for (const std::optional<Dtype> mask : {std::optional<Dtype>(), {bool_}, {t}}) {
        Avals inputs = operands;
        if (mask) inputs.push_back({{s[0], heads, s[3], s[4]}, *mask});
        if (has_sinks) inputs.push_back({{heads}, t});
        const Array whole = found(site, a, {inputs, [=](float by) {
                                              return make_op<ScaledDotProductAttention>(
                                                  by, causal, mask.has_value(), has_sinks);
                                            }});
        if (whole) return whole;
      }
    }
  }
  return Array();
}

}  // namespace

Rules decomposed_rules() { return {norm_taken_apart, attention_taken_apart}; }

}  // namespace heddle
