#include "transforms/rewrite_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/attention.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/matmul.h"
#include "ops/shape.h"
#include "ops/softmax.h"
#include "transforms/pattern.h"

namespace heddle {
namespace {

using namespace pattern;

enum Hole { q, columns, rows, v, added, allowed, hidden, scale, fill };

const Pattern& written() {
  static const Pattern pattern = [] {
    // Numbers that k is multiplied by go below its transpose; else k comes as its columns.
    const Pattern turned = result_of<Transpose>({scaled(any(rows), scale)});
    const Pattern keys = [turned](Match& m, const Array& a, const Rest& rest) {
      return any(columns)(m, a, [&] { return turned(m, a, rest); });
    };
    const Pattern product =
        result_of<Matmul>({scaled(any(q), scale), either({keys, scaled(any(columns), scale)})});
    const Pattern scores = cast(scaled(product, scale));
    const Pattern masked = either({
        scores,
        operation(Code::add, scores, any(added)),
        operation(Code::select, any(allowed), scores, number(fill)),
        operation(Code::select, any(hidden), number(fill), scores),
    });
    const Pattern weights = cast(result_of<Softmax>({cast(masked)}));
    return result_of<Matmul>({weights, any(v)});
  }();
  return pattern;
}

// As the operation wants it, (batch, heads, rows, columns): a stack of matrices is a batch of
// single heads, a matrix one of those.
Array with_heads(const Array& a, const Stream& s) {
  if (a.ndim() == 4) return a;
  return expand_dims(a, a.ndim() == 3 ? std::vector<int>{1} : std::vector<int>{0, 1}, s);
}

// The keys without the numbers that they were multiplied by.
Array keys_of(const Match& m, const Stream& s) {
  Array keys = m[columns];
  if (m.has(rows)) keys = transposed(m[rows], made_by<Transpose>(m[columns])->axes, s);
  std::vector<int> axes(static_cast<size_t>(keys.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes.end()[-1], axes.end()[-2]);
  return transposed(keys, std::move(axes), s);
}

// --- masks

// From here down a score counts for nothing: no other score comes near it.
double lowest_score(Dtype t) { return t == float16 ? -3e4 : -1e8; }

// Which scores count, where the graph knows it. Evaluates.
std::optional<Array> known_mask(const Match& m, Dtype t) {
  const Hole hole = m.has(added) ? added : m.has(allowed) ? allowed : hidden;
  constexpr int64_t most = int64_t{1} << 24;
  const std::optional<Array> known = m.site.constant(m[hole]);
  if (!known || known->node()->tracer || known->size() > most) return std::nullopt;
  if (hole == allowed) return known;
  if (hole == hidden) return logical_not(*known);
  const Array shown = equal(*known, Array(0, known->dtype()));
  const Array low = less_equal(*known, Array(lowest_score(t), known->dtype()));
  return all(logical_or(shown, low)).item<bool>() ? std::optional(shown) : std::nullopt;
}

// Whether each query sees the keys up to its own, and the last query goes with the last key.
bool is_causal(const Array& mask, int64_t queries, int64_t keys) {
  if (mask.ndim() < 2 || mask.shape(-2) != queries || mask.shape(-1) != keys) return false;
  if (mask.size() != queries * keys || queries > keys) return false;
  const Array own = arange(static_cast<int>(keys - queries), static_cast<int>(keys));
  const Array wanted = less_equal(arange(static_cast<int>(keys)), expand_dims(own, {1}));
  return all(equal(reshape(mask, {queries, keys}), wanted)).item<bool>();
}

// A mask for scores of dtype `t`; none if the operation has no such mask.
Array mask_of(const Match& m, Dtype t, const Stream& s) {
  if (m.has(added)) {
    // Of a wider dtype it would be rounded, and its low numbers become infinite.
    return m[added].dtype() == t ? m[added] : Array();
  }
  if (!(m.number(fill) <= lowest_score(t))) return Array();
  const Array shown = m.has(allowed) ? m[allowed] : logical_not(m[hidden], s);
  if (!std::isinf(m.number(fill))) return shown;
  // Rows of which nothing is shown are NaN with infinity, and evenly mixed with finite numbers.
  return where(shown, Array(0, t), Array(-std::numeric_limits<float>::infinity(), t), s);
}

// --- groups of query heads that share a key head

// Where each head of `a` is repeated for a group of others: the heads themselves; else `a`.
Array ungrouped(const Array& a) {
  if (!keeps_order(maker(a)) || a.ndim() != 4) return a;
  const Array& repeated = operand(a);
  if (!made_by<Broadcast>(repeated) || repeated.ndim() != 5) return a;
  const Array& single = operand(repeated);
  if (!keeps_order(maker(single)) || single.ndim() != 5 || single.shape(2) != 1) return a;
  const Array& heads = operand(single);
  auto without = [](const Shape& shape, int64_t one, int64_t other) {
    return Shape{shape[0], one * other, shape[3], shape[4]};
  };
  const Shape& whole = repeated.shape();
  const bool fits = a.shape() == without(whole, whole[1], whole[2]) &&
                    heads.shape() == without(whole, whole[1], 1) && single.shape()[1] == whole[1];
  return fits ? heads : a;
}

// The dtypes that attention computes in as well.
bool same_or_wider(const Match& m, Dtype t) {
  return std::all_of(m.parts.begin(), m.parts.end(), [&](const Array& part) {
    return part.dtype() == t || (is_half(t) && part.dtype() == float32);
  });
}

}  // namespace

Array attention_of_parts(const Site& site, const Array& a) {
  if (!made_by<Matmul>(a) || a.ndim() > 4) return Array();
  const Stream& s = site.stream;
  const Dtype t = a.dtype();
  if (!is_floating(t) || t == float64) return Array();  // which the operation takes apart again
  const std::optional<Match> found = find(written(), site, a);
  if (!found || !same_or_wider(*found, t)) return Array();
  const Match& m = *found;
  if (m[q].dtype() != t || m[columns].dtype() != t) return Array();

  // A mask does not make more scores of them.
  Shape scores = m[q].shape();
  scores.back() = m[columns].shape(-1);
  if (operand(a).shape() != scores) return Array();

  std::string mode;
  std::optional<Array> mask;
  if (m.has(added) || m.has(allowed) || m.has(hidden)) {
    Array shown = mask_of(m, t, s);
    if (!shown) return Array();
    const std::optional<Array> known = known_mask(m, t);
    if (known && is_causal(*known, scores.end()[-2], scores.back())) {
      mode = "causal";
    } else {
      if (scores.size() == 3 && shown.ndim() == 3) shown = expand_dims(shown, {1}, s);
      mask = shown;
    }
  }
  Array keys = with_heads(keys_of(m, s), s), values = with_heads(m[v], s);
  const Array fewer_keys = ungrouped(keys), fewer_values = ungrouped(values);
  if (fewer_keys.shape(1) == fewer_values.shape(1)) {
    keys = fewer_keys;
    values = fewer_values;
  }
  const Array out = fast::scaled_dot_product_attention(with_heads(m[q], s), keys, values,
                                                       static_cast<float>(m.number(scale)), mode,
                                                       mask, {}, false, s);
  return reshape(out, a.shape(), s);
}

}  // namespace heddle
