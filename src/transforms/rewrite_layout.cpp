// Rules that move and drop, and compute nothing else than before: results keep their bits.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/shape.h"
#include "ops/shape.h"
#include "transforms/look_back.h"
#include "transforms/rewrite.h"

namespace heddle {
namespace {

using Order = std::vector<int>;

bool is_identity(const Order& axes) { return std::is_sorted(axes.begin(), axes.end()); }

Order inverse(const Order& axes) {
  Order out(axes.size());
  for (size_t i = 0; i < axes.size(); i++) out[static_cast<size_t>(axes[i])] = static_cast<int>(i);
  return out;
}

// Whether it computes each element from those at the same place of its operands.
bool is_elementwise(const Op* op) {
  return op && (op->is_pointwise() || as<StopGradient>(op) || as<Copy>(op));
}

// --- what changes nothing

Array drop_copies(const Site&, const Array& a) {
  const Op* op = maker(a);
  if (as<Copy>(op)) return operand(a);
  const bool moves = keeps_order(op) || as<Broadcast>(op);
  return moves && operand(a).shape() == a.shape() ? operand(a) : Array();
}

// Whether `to` holds every number of `from`, so that converting there and on loses nothing.
bool holds_all(Dtype from, Dtype to) {
  if (from == to || from == bool_) return true;
  if (is_half(from)) return to == float32 || to == float64;
  if (from == float32) return to == float64;
  return is_integer(from) && is_integer(to) && is_signed(from) == is_signed(to) &&
         size_of(from) < size_of(to);
}

Array merge_conversions(const Site& site, const Array& a) {
  if (!made_by<AsType>(a)) return Array();
  const Array& from = operand(a);
  if (from.dtype() == a.dtype()) return from;
  if (!made_by<AsType>(from) || !holds_all(operand(from).dtype(), from.dtype())) return Array();
  return astype(operand(from), a.dtype(), site.stream);
}

Array merge_reshapes(const Site& site, const Array& a) {
  if (!keeps_order(maker(a)) || !keeps_order(maker(operand(a)))) return Array();
  const Array& x = operand(operand(a));
  return x.shape() == a.shape() ? x : reshape(x, a.shape(), site.stream);
}

Array merge_broadcasts(const Site& site, const Array& a) {
  if (!made_by<Broadcast>(a) || !made_by<Broadcast>(operand(a))) return Array();
  return broadcast_to(operand(operand(a)), a.shape(), site.stream);
}

// The same op on other operands.
Array again(const Array& a, Arrays in, const Stream& s) {
  return apply(a.node()->op, std::move(in), s);
}

// Pointwise operands broadcast by themselves, as long as others have the shape of the result.
Array drop_broadcasts(const Site& site, const Array& a) {
  if (!maker(a)->is_pointwise() || operands(a).size() < 2) return Array();
  Arrays in = operands(a);
  bool changed = false;
  for (Array& x : in) {
    if (!made_by<Broadcast>(x)) continue;
    const Array whole = std::exchange(x, operand(x));
    const Avals result = maker(a)->infer(in);
    if (result[0].shape == a.shape()) {
      changed = true;
    } else {
      x = whole;
    }
  }
  return changed ? again(a, std::move(in), site.stream) : Array();
}

// x * 1, x / 1 and x - 0; not x + 0, which makes 0 of -0.
Array drop_neutral(const Site& site, const Array& a) {
  const std::optional<Code> code = code_of(a);
  auto is = [&](size_t i, double value) {
    return operand(a, 1 - i).shape() == a.shape() && site.number(operand(a, i)) == value;
  };
  if (code == Code::multiply && is(0, 1)) return operand(a, 1);
  if ((code == Code::multiply || code == Code::divide) && is(1, 1)) return operand(a, 0);
  if (code == Code::subtract && is(1, 0) && !std::signbit(*site.number(operand(a, 1)))) {
    return operand(a, 0);
  }
  return Array();
}

// --- transposes

Array merge_transposes(const Site& site, const Array& a) {
  const auto* t = made_by<Transpose>(a);
  if (!t || !(is_identity(t->axes) || made_by<Transpose>(operand(a)))) return Array();
  return transposed(operand(a), t->axes, site.stream);
}

// f(transpose x, transpose y, constant) is transpose(f(x, y, constant transposed back)).
Array sink_transposes(const Site& site, const Array& a) {
  if (!is_elementwise(maker(a))) return Array();
  const Order* axes = nullptr;
  for (const Array& x : operands(a)) {
    const auto* t = made_by<Transpose>(x);
    if (t && x.ndim() == a.ndim() && (!axes || t->axes == *axes)) {
      axes = &t->axes;
    } else if (x.ndim() > 0 && !site.known(x)) {
      return Array();
    }
  }
  if (!axes) return Array();
  const Order back = inverse(*axes), order = *axes;
  Arrays in;
  for (const Array& x : operands(a)) {
    const auto* t = made_by<Transpose>(x);
    if (t && t->axes == order) {
      in.push_back(operand(x));
    } else if (x.ndim() == 0) {
      in.push_back(x);
    } else {
      Shape shape(static_cast<size_t>(a.ndim() - x.ndim()), 1);
      shape.insert(shape.end(), x.shape().begin(), x.shape().end());
      in.push_back(transposed(reshape(x, shape, site.stream), back, site.stream));
    }
  }
  return transpose(again(a, std::move(in), site.stream), order, site.stream);
}

// A transpose that moves nothing but axes of size one is a reshape.
Array reshape_for_transpose(const Site& site, const Array& a) {
  const auto* t = made_by<Transpose>(a);
  if (!t) return Array();
  Order longer;
  for (int axis : t->axes) {
    if (operand(a).shape(axis) != 1) longer.push_back(axis);
  }
  return is_identity(longer) ? reshape(operand(a), a.shape(), site.stream) : Array();
}

}  // namespace

bool keeps_order(const Op* op) {
  return as<Reshape>(op) || as<Flatten>(op) || as<Unflatten>(op) || as<Squeeze>(op) ||
         as<ExpandDims>(op);
}

Array transposed(const Array& x, Order axes, const Stream& s) {
  if (const auto* t = made_by<Transpose>(x)) {
    for (int& axis : axes) axis = t->axes[static_cast<size_t>(axis)];
    return transposed(operand(x), std::move(axes), s);
  }
  return is_identity(axes) ? x : transpose(x, axes, s);
}

Rules layout_rules() {
  return {drop_copies,           merge_conversions, merge_reshapes,
          merge_broadcasts,      drop_broadcasts,   merge_transposes,
          reshape_for_transpose, sink_transposes,   drop_neutral};
}

}  // namespace heddle
