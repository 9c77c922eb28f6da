// What all pointwise operations share, conversion and identity. The statements of the others:
// pointwise_unary.cpp, pointwise_binary.cpp.
#include "ops/pointwise.h"

#include "core/node.h"
#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/shape.h"
#include "ops/checks.h"
#include "ops/following.h"
#include "ops/pointwise_statements.h"
#include "ops/util.h"

namespace heddle {
namespace pointwise_statements {

Pointwise& pointwise(std::string name, Code code) { return *new Pointwise(std::move(name), code); }

Array constant(double value, const Array& like) {
  return is_complex(like.dtype()) ? Array(complex64_t(static_cast<float>(value)))
                                  : Array(value, like.dtype());
}

Array apply_pointwise(const Pointwise& op, Arrays inputs, StreamOrDevice s) {
  Stream stream = to_stream(s);
  op.require_domain(inputs);
  Dtype dtype = node_of(inputs[0]).dtype;
  for (size_t i = 1; i < inputs.size(); i++) {
    const Dtype other = node_of(inputs[i]).dtype;
    if (other != dtype) dtype = promote_types(dtype, other);
  }
  if (op.promotes()) dtype = at_least_float(dtype);
  for (Array& a : inputs) {
    if (a.node()->dtype != dtype) a = astype(a, dtype, stream);
  }
  Shape shape = inputs[0].node()->shape;
  for (size_t i = 1; i < inputs.size(); i++) {
    const Shape& other = inputs[i].node()->shape;
    if (!(other == shape)) shape = broadcast_shapes(shape, other);
  }
  return apply(OpRef(&op), std::move(inputs), Aval{std::move(shape), op.result_dtype(dtype)},
               stream);
}

Magnitudes magnitudes(const Array& a, const Array& b) {
  const Array x = abs(a), y = abs(b);
  return {minimum(x, y), maximum(x, y)};
}
Array one_and_square(const Array& t) { return add(square(t), constant(1, t)); }

}  // namespace pointwise_statements

// ---------------------------------------------------------------------------------------------
// Rules that all pointwise ops share.

void Pointwise::check_domain(const Arrays& operands) const {
  Dtype t = operands[0].dtype();
  for (const Array& a : operands) t = promote_types(t, a.dtype());
  if (domain_ == Domain::bits ? !is_inexact(t) : !is_complex(t)) return;
  const std::string function = function_ ? function_ : function_name();
  if (domain_ != Domain::bits) refuse(function.c_str(), "Not supported for complex64.");
  if (operands.size() == 1) {
    refuse(function.c_str(), "Bitwise inverse only allowed on integer types, got {}.", name_of(t));
  }
  throw std::runtime_error(
      fmt::format("[{}] Only allowed on integer or boolean types but got types {} and {}.",
                  function, name_of(operands[0].dtype()), name_of(operands[1].dtype())));
}

void Pointwise::check(const Arrays& inputs) const {
  require_inputs(*this, inputs, static_cast<size_t>(arity_of(code_)));
  const bool selects = code_ == Code::select;
  if (selects) require_dtype(*this, inputs, 0, bool_);
  for (size_t i = selects ? 2 : 1; i < inputs.size(); i++) {
    require_dtype(*this, inputs, i, inputs[i - 1].dtype());
  }
  if (promotes() && !is_inexact(inputs[0].dtype())) {
    refuse(function_name().c_str(), "Operands of an inexact type are wanted, not {}.",
           name_of(inputs[0].dtype()));
  }
  require_domain(inputs);
}

Avals Pointwise::infer(const Arrays& inputs) const {
  Shape shape = inputs[0].shape();
  for (size_t i = 1; i < inputs.size(); i++) shape = broadcast_shapes(shape, inputs[i].shape());
  return {{std::move(shape), result_dtype(inputs.back().dtype())}};
}

Arrays Pointwise::terms(const Arrays& inputs, const Array& output, const std::vector<int>& argnums,
                        const std::function<Array(size_t)>& g) const {
  if (partials_.empty()) return Arrays(argnums.size());
  const bool wide = widens_ && is_half(inputs.back().dtype());
  Arrays wide_inputs;
  Array wide_output;
  if (wide) {
    // The result, too, is taken again: rounded to a half it has no digits to subtract from.
    for (const Array& x : inputs) wide_inputs.push_back(astype(x, float32));
    wide_output = apply(OpRef(this), wide_inputs, to_stream({}));
  }
  const Arrays& in = wide ? wide_inputs : inputs;
  const Array& out = wide ? wide_output : output;
  Arrays result;
  result.reserve(argnums.size());
  for (size_t k = 0; k < argnums.size(); k++) {
    const Array slope = g(k);
    result.push_back(
        partials_[static_cast<size_t>(argnums[k])](in, out, wide ? astype(slope, float32) : slope));
  }
  return result;
}

std::optional<Arrays> Pointwise::vjp(const Pull& p) const {
  const Stream& s = p.stream;
  // A complex cotangent is multiplied by the conjugate of the derivative, so that the gradient of a
  // real loss points uphill: conj(f') g = conj(f' conj(g)).
  const bool complex = is_complex(p.out[0].dtype());
  const Array g = complex ? conjugate(p.g[0]) : p.g[0];
  Arrays result = terms(p.in, p.out[0], p.wanted, [&](size_t) { return g; });
  for (size_t k = 0; k < p.wanted.size(); k++) {
    Array& term = result[k];
    if (!term) continue;
    if (complex) term = conjugate(term);
    const Array& x = p.in[static_cast<size_t>(p.wanted[k])];
    const bool alone = p.in.size() == 1 && term.shape() == x.shape();
    term = astype(alone ? term : sum_to_like(term, x, s), x.dtype(), s);
  }
  return result;
}

std::optional<Arrays> Pointwise::jvp(const Push& p) const {
  const Stream& s = p.stream;
  Array sum;
  for (const Array& term : terms(p.in, p.out[0], p.wanted, [&](size_t k) { return p.t[k]; })) {
    if (term) sum = sum ? add(sum, term, s) : term;
  }
  if (!sum) return Arrays(1);
  return Arrays{astype(broadcast_like(sum, p.out[0], s), p.out[0].dtype(), s)};
}

std::optional<Batched> Pointwise::vmap(const Batch& b) const {
  return Batched{{apply(OpRef(this), align_batches(b.in, b.axes), b.stream)}, {0}};
}

// ---------------------------------------------------------------------------------------------
// Conversion, identity.

void AsType::check(const Arrays& in) const { require_inputs(*this, in, 1); }
void StopGradient::check(const Arrays& in) const { require_inputs(*this, in, 1); }
void Copy::check(const Arrays& in) const { require_inputs(*this, in, 1); }

std::optional<Arrays> AsType::vjp(const Pull& p) const {
  return Arrays{astype(p.g[0], p.in[0].dtype())};
}
std::optional<Arrays> AsType::jvp(const Push& p) const { return Arrays{astype(p.t[0], dtype)}; }
std::optional<Batched> AsType::vmap(const Batch& b) const {
  return Batched{{astype(b.in[0], dtype, b.stream)}, b.axes};
}

Array astype(const Array& a, Dtype dtype, StreamOrDevice s) {
  if (a.dtype() == dtype) return a;
  return apply(make_op<AsType>(dtype), {a}, Aval{a.shape(), dtype}, to_stream(s));
}

Array stop_gradient(const Array& a, StreamOrDevice s) {
  return apply(make_op<StopGradient>(), {a}, Aval{a.shape(), a.dtype()}, to_stream(s));
}

Array identity(const Array& x, StreamOrDevice s) {
  return apply(make_op<Copy>(), {x}, Aval{x.shape(), x.dtype()}, to_stream(s));
}

}  // namespace heddle
