#include "ops/matmul.h"

#include <numeric>

#include "core/graph_lock.h"
#include "core/node.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/products.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/shape.h"
#include "ops/util.h"

namespace heddle {
namespace {

// The conjugate transpose: what a product's derivative multiplies cotangents by.
Array adjoint(const Array& a, const Stream& s) { return conjugate(swapaxes(a, -1, -2, s), s); }

Dtype product_dtype(const char* op, const Array& a, const Array& b) {
  Dtype t = promote_types(a.dtype(), b.dtype());
  if (!is_inexact(t)) {
    refuse(op,
           "Only inexact types are supported but {} and {} were provided which "
           "results in {}, which is not a floating point type.",
           name_of(a.dtype()), name_of(b.dtype()), name_of(t));
  }
  return t;
}

void check_stacks(OpName op, const char* name, const Arrays& in) {
  require_one_dtype(op, in);
  product_dtype(name, in[0], in[1]);
  require_same_stacks(name, in[0], in[1]);
  require_product(name, in[0], in[1]);
}

// Both operands as equal stacks of matrices of one dtype, and how to undo what was added.
struct Operands {
  Array a, b;
  bool row = false;     // a was a vector
  bool column = false;  // b was a vector
  Shape merged;         // batch dimensions of a folded into its rows, because b has none
};

// Of vectors, matrices and stacks of them. Gives their common dtype.
Dtype require_factors(const char* op, const Array& a, const Array& b) {
  if (a.ndim() == 0 || b.ndim() == 0) {
    refuse(op, "Got 0 dimension input. Inputs must have at least one dimension.");
  }
  Dtype t = product_dtype(op, a, b);
  if (a.shape(-1) != b.shape(b.ndim() == 1 ? 0 : -2)) {
    const Shape row = a.ndim() == 1 ? Shape{1, a.shape(0)} : a.shape();
    const Shape column = b.ndim() == 1 ? Shape{b.shape(0), 1} : b.shape();
    refuse_product(op, row, column);
  }
  return t;
}

Operands prepare(const char* op, const Array& a, const Array& b, const Stream& s) {
  Dtype t = require_factors(op, a, b);
  Operands o{astype(a, t, s), astype(b, t, s), false, false, {}};
  if (a.ndim() == 1) {
    o.row = true;
    o.a = expand_dims(o.a, 0, s);
  }
  if (b.ndim() == 1) {
    o.column = true;
    o.b = expand_dims(o.b, 1, s);
  }
  if (o.a.ndim() > 2 && o.b.ndim() == 2 && !may_change_size(o.a)) {
    o.merged = Shape(o.a.shape().begin(), o.a.shape().end() - 1);
    o.a = flatten(o.a, 0, -2, s);
  } else if (o.a.ndim() > 2 || o.b.ndim() > 2) {
    auto batch = [](const Array& x) { return Shape(x.shape().begin(), x.shape().end() - 2); };
    Shape common = broadcast_shapes(batch(o.a), batch(o.b));
    if (may_change_size(o.a) || may_change_size(o.b)) {
      if (!(batch(o.a) == batch(o.b))) {
        Array left = o.a;
        o.a = stack_like(o.a, o.b, s);
        o.b = stack_like(o.b, left, s);
      }
      return o;
    }
    auto stretch = [&](const Array& x) {
      Shape to = common;
      to.push_back(x.shape(-2));
      to.push_back(x.shape(-1));
      return broadcast_to(x, to, s);
    };
    o.a = stretch(o.a);
    o.b = stretch(o.b);
  }
  return o;
}

// The shape of the product once added dimensions are gone.
Array restore(const Operands& o, Array out, const Stream& s) {
  if (!o.merged.empty()) out = unflatten(out, 0, o.merged, s);
  if (o.row && o.column) return squeeze(out, {-2, -1}, s);
  if (o.row) return squeeze(out, {-2}, s);
  if (o.column) return squeeze(out, {-1}, s);
  return out;
}

Shape product_shape(const Array& a, const Array& b) {
  Shape shape = a.shape();
  shape.back() = b.shape(-1);
  return shape;
}

// True if the addend has the shape of the product of two matrices.
bool same_as_product(const Array& a, const Array& b, const Array& c) {
  return a.ndim() == 2 && b.ndim() == 2 && c.shape() == Shape{a.shape(0), b.shape(1)};
}

// True if the operand is a matrix seen transposed, as weights are.
bool is_transposed(const Array& a) {
  Node& n = *a.node();
  const OpRef op = walk_graph(
      [&](Unfinished& unfinished) { return n.available() || unfinished.has(&n) ? OpRef() : n.op; });
  if (n.available()) {
    size_t rank = n.strides.size();
    return n.strides[rank - 2] == 1 && n.strides[rank - 1] > 1;
  }
  const Transpose* t = op ? op_if<Transpose>(*op) : nullptr;
  return t && t->axes.back() == static_cast<int>(t->axes.size()) - 2;
}

// The gradients of the product x y, given that of the result. They are laid out as the operands
// are, so that an optimizer walks a weight and its gradient alike.
Array left_gradient(const Array& x, const Array& y, const Array& g, const Stream& s) {
  if (!is_transposed(x)) return matmul(g, adjoint(y, s), s);
  return swapaxes(matmul(conjugate(y, s), swapaxes(g, -1, -2, s), s), -1, -2, s);
}

Array right_gradient(const Array& x, const Array& y, const Array& g, const Stream& s) {
  if (!is_transposed(y)) return matmul(adjoint(x, s), g, s);
  return swapaxes(matmul(swapaxes(g, -1, -2, s), conjugate(x, s), s), -1, -2, s);
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// matmul

void Matmul::check(const Arrays& in) const {
  require_inputs(*this, in, 2);
  check_stacks(*this, "matmul", in);
}

Avals Matmul::infer(const Arrays& in) const {
  return {{product_shape(in[0], in[1]), in[0].dtype()}};
}

std::optional<Arrays> Matmul::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  Arrays result;
  for (int i : p.wanted) {
    result.push_back(i == 0 ? left_gradient(p.in[0], p.in[1], p.g[0], s)
                            : right_gradient(p.in[0], p.in[1], p.g[0], s));
  }
  return result;
}

std::optional<Arrays> Matmul::jvp(const Push& p) const {
  Array sum;
  for (size_t k = 0; k < p.wanted.size(); k++) {
    Array term = p.wanted[k] == 0 ? matmul(p.t[k], p.in[1]) : matmul(p.in[0], p.t[k]);
    sum = sum ? add(sum, term) : term;
  }
  return Arrays{sum};
}

std::optional<Batched> Matmul::vmap(const Batch& b) const {
  return Batched{
      {matmul(batch_to_front(b.in[0], b.axes[0]), batch_to_front(b.in[1], b.axes[1]), b.stream)},
      {0}};
}

Array matmul(const Array& a, const Array& b, StreamOrDevice s) {
  Stream stream = to_stream(s);
  Operands o = prepare("matmul", a, b, stream);
  return restore(o, apply(make_op<Matmul>(), {o.a, o.b}, stream), stream);
}

// ---------------------------------------------------------------------------------------------
// addmm

void AddMM::check(const Arrays& in) const {
  require_inputs(*this, in, 3);
  check_stacks(*this, "addmm", in);
  require_shape("addmm", "The addend", in[2], product_shape(in[0], in[1]));
}

Avals AddMM::infer(const Arrays& in) const {
  return {{product_shape(in[0], in[1]), in[0].dtype()}};
}

std::optional<Arrays> AddMM::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  auto scaled = [&](const Array& x, float by) {
    if (by == 1.0f) return x;
    const Array wide = widened(x, s);  // a half would not hold the factor
    return astype(multiply(wide, Array(by, wide.dtype()), s), x.dtype(), s);
  };
  Arrays result;
  for (int i : p.wanted) {
    if (i == 0) result.push_back(scaled(left_gradient(p.in[0], p.in[1], p.g[0], s), alpha));
    if (i == 1) result.push_back(scaled(right_gradient(p.in[0], p.in[1], p.g[0], s), alpha));
    if (i == 2) result.push_back(scaled(p.g[0], beta));
  }
  return result;
}

std::optional<Batched> AddMM::vmap(const Batch& b) const {
  const Stream& s = b.stream;
  Arrays x = align_batches(b.in, b.axes);
  if (b.axes[0] < 0 && b.axes[1] < 0) {  // one product, to which the addends come
    const Array product = matmul(widened(b.in[0], s), widened(b.in[1], s), s);
    const Array addends = widened(x[2], s);
    auto scaled = [&](const Array& v, float by) { return multiply(v, Array(by, v.dtype()), s); };
    const Array sum = add(scaled(product, alpha), scaled(addends, beta), s);
    return Batched{{astype(sum, b.in[0].dtype(), s)}, {0}};
  }
  return Batched{{addmm(x[2], x[0], x[1], alpha, beta, s)}, {0}};
}

Array addmm(const Array& c, const Array& a, const Array& b, float alpha, float beta,
            StreamOrDevice s) {
  Stream stream = to_stream(s);
  Dtype t = promote_types(promote_types(a.dtype(), b.dtype()), c.dtype());
  if (!is_floating(t) && !is_complex(t)) {
    refuse("addmm",
           "Only real floating point types are supported but {}, {} and {} were provided "
           "which results in {}, which is not a real floating point type.",
           name_of(c.dtype()), name_of(a.dtype()), name_of(b.dtype()), name_of(t));
  }
  // No array has the shape of the product, which the addend is to take.
  if ((may_change_size(a) || may_change_size(b) || may_change_size(c)) &&
      !same_as_product(a, b, c)) {
    auto scaled = [&](const Array& x, float by) {
      return by == 1.0f ? x : multiply(x, Array(by, t), stream);
    };
    require_factors("addmm", a, b);
    Array product = matmul(astype(a, t, stream), astype(b, t, stream), stream);
    return add(scaled(astype(c, t, stream), beta), scaled(product, alpha), stream);
  }
  Operands o = prepare("addmm", astype(a, t, stream), astype(b, t, stream), stream);
  Shape full = product_shape(o.a, o.b);
  Shape shape = o.merged.empty() ? full : [&] {
    Shape whole = o.merged;
    whole.push_back(full.back());
    return whole;
  }();
  Array addend = astype(c, t, stream);
  // A vector left out of the product is left out of the addend.
  if (o.row && addend.ndim() >= 1) addend = expand_dims(addend, {-2}, stream);
  if (o.column) addend = expand_dims(addend, {-1}, stream);
  addend = broadcast_to(addend, shape, stream);
  if (!o.merged.empty()) addend = flatten(addend, 0, -2, stream);
  return restore(o, apply(make_op<AddMM>(alpha, beta), {o.a, o.b, addend}, stream), stream);
}

// ---------------------------------------------------------------------------------------------
// Made of them.

Array inner(const Array& a, const Array& b, StreamOrDevice s) {
  if (a.ndim() == 0 || b.ndim() == 0) return multiply(a, b, s);
  if (a.shape(-1) != b.shape(-1)) {
    refuse("inner", "a and b must have the same last dimension.");
  }
  return tensordot(a, b, {-1}, {-1}, s);
}

Array outer(const Array& a, const Array& b, StreamOrDevice s) {
  return multiply(reshape(a, {a.size(), 1}, s), flatten(b, 0, -1, s), s);
}

Array vecdot(const Array& a, const Array& b, int axis, StreamOrDevice s) {
  int smaller = std::min(a.ndim(), b.ndim());
  if (axis >= 0 || axis < -smaller) {
    bool same = a.ndim() == b.ndim() && axis >= 0 && axis < a.ndim();
    if (!same) {
      throw AxisError(
          fmt::format("[vecdot] Axis {} is out of bounds for arrays with {} and {} dimensions: a "
                      "negative one counts from the end of both.",
                      axis, a.ndim(), b.ndim()));
    }
  }
  if (a.shape(axis) != b.shape(axis)) {
    refuse("vecdot", "a and b must have the same size along the axis, got {} and {}.",
           to_string(a.shape()), to_string(b.shape()));
  }
  Array left = is_complex(a.dtype()) ? conjugate(a, s) : a;
  Array x = moveaxis(left, axis, -1, s), y = moveaxis(b, axis, -1, s);
  Dtype t = promote_types(a.dtype(), b.dtype());
  if (!is_inexact(t)) return astype(sum(multiply(x, y, s), {-1}, false, s), t, s);
  return squeeze(matmul(expand_dims(x, {-2}, s), expand_dims(y, {-1}, s), s), {-2, -1}, s);
}

Array tensordot(const Array& a, const Array& b, int axes, StreamOrDevice s) {
  if (axes < 0) refuse("tensordot", "axis must be greater or equal to 0.");
  if (axes > std::min(a.ndim(), b.ndim())) {
    refuse("tensordot", "axis must be less than the number of dimensions of a and b.");
  }
  std::vector<int> last(static_cast<size_t>(axes)), first(static_cast<size_t>(axes));
  std::iota(last.begin(), last.end(), a.ndim() - axes);
  std::iota(first.begin(), first.end(), 0);
  return tensordot(a, b, last, first, s);
}

Array tensordot(const Array& a, const Array& b, const std::vector<int>& axes_a,
                const std::vector<int>& axes_b, StreamOrDevice s) {
  if (axes_a.size() != axes_b.size()) {
    refuse("tensordot", "axes must have the same size.");
  }
  Dtype t = product_dtype("tensordot", a, b);
  int64_t contracted = 1;
  std::vector<int> in_a, in_b;
  for (size_t i = 0; i < axes_a.size(); i++) {
    in_a.push_back(normalize_axis("tensordot", axes_a[i], a.ndim()));
    in_b.push_back(normalize_axis("tensordot", axes_b[i], b.ndim()));
    if (a.shape(in_a.back()) != b.shape(in_b.back())) {
      refuse("tensordot", "a and b must have the same shape on the contracted axes.");
    }
    contracted *= a.shape(in_a.back());
  }
  Shape out;
  auto free_axes = [&](const Array& x, const std::vector<int>& taken) {
    std::vector<int> free;
    for (int i = 0; i < x.ndim(); i++) {
      if (std::find(taken.begin(), taken.end(), i) != taken.end()) continue;
      free.push_back(i);
      out.push_back(x.shape(i));
    }
    return free;
  };
  std::vector<int> order_a = free_axes(a, in_a);
  int64_t rows = element_count(out);
  order_a.insert(order_a.end(), in_a.begin(), in_a.end());
  std::vector<int> order_b = in_b;
  size_t before = out.size();
  std::vector<int> free_b = free_axes(b, in_b);
  int64_t columns = element_count(Shape(out.begin() + before, out.end()));
  order_b.insert(order_b.end(), free_b.begin(), free_b.end());
  Array left = reshape(transpose(astype(a, t, s), order_a, s), {rows, contracted}, s);
  Array right = reshape(transpose(astype(b, t, s), order_b, s), {contracted, columns}, s);
  return reshape(matmul(left, right, s), out, s);
}

Array kron(const Array& a, const Array& b, StreamOrDevice s) {
  if (a.size() == 0 || b.size() == 0) {
    refuse("kron", "Input arrays cannot be empty.");
  }
  int n = std::max(a.ndim(), b.ndim());
  Shape shape_a, shape_b, out;
  for (int i = 0; i < n; i++) {
    auto extent = [&](const Array& x) {
      return i < n - x.ndim() ? 1 : x.shape(i - (n - x.ndim()));
    };
    shape_a.push_back(extent(a));
    shape_a.push_back(1);
    shape_b.push_back(1);
    shape_b.push_back(extent(b));
    out.push_back(extent(a) * extent(b));
  }
  check_shape("kron", out, size_of(promote_types(a.dtype(), b.dtype())));
  return reshape(multiply(reshape(a, shape_a, s), reshape(b, shape_b, s), s), out, s);
}

}  // namespace heddle
