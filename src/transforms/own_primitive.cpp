#include "transforms/own_primitive.h"

#include <algorithm>
#include <limits>
#include <sstream>
#include <tuple>
#include <typeinfo>

#include "core/node.h"
#include "ops/checks.h"
#include "transforms/graph.h"

namespace heddle {
namespace {

Avals avals_of(const Arrays& arrays) {
  Avals avals;
  for (const Array& a : arrays) avals.push_back({a.shape(), a.dtype()});
  return avals;
}

bool same(const Avals& a, const Avals& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Aval& x, const Aval& y) {
    return x.shape == y.shape && x.dtype == y.dtype;
  });
}

void check_count(const Primitive& p, const char* rule, const char* what, size_t given,
                 size_t wanted) {
  if (given == wanted) return;
  refuse(p.name(), "{} gave {} {} where {} are wanted.", rule, given, what, wanted);
}

}  // namespace

OwnPrimitive::OwnPrimitive(std::shared_ptr<Primitive> primitive, const Arrays& inputs,
                           Avals results)
    : primitive_(std::move(primitive)), inputs_(avals_of(inputs)), results_(std::move(results)) {}

const OpInfo& OwnPrimitive::type() {
  static const OpInfo& info = register_op("OwnPrimitive");
  return info;
}

void OwnPrimitive::check(const Arrays& inputs) const {
  check_count(*primitive_, "The graph", "inputs", inputs.size(), inputs_.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    if (inputs[i].dtype() == inputs_[i].dtype) continue;
    refuse(primitive_->name(),
           "Input {} is {} where {} is wanted: the primitive was made for that.", i,
           name_of(inputs[i].dtype()), name_of(inputs_[i].dtype));
  }
}

Avals OwnPrimitive::infer(const Arrays& inputs) const {
  if (same(avals_of(inputs), inputs_)) return results_;
  std::vector<Shape> shapes = primitive_->output_shapes(inputs);
  check_count(*primitive_, "output_shapes", "shapes", shapes.size(), results_.size());
  Avals results;
  for (size_t k = 0; k < shapes.size(); k++) {
    check_shape(primitive_->name(), shapes[k], size_of(results_[k].dtype));
    results.push_back({shapes[k], results_[k].dtype});
  }
  return results;
}

std::optional<Arrays> OwnPrimitive::vjp(const Pull& p) const {
  Arrays back;
  try {
    back = primitive_->vjp(p.in, p.g, p.wanted, p.out);
  } catch (const Primitive::NoRule&) {
    return std::nullopt;
  }
  check_count(*primitive_, "vjp", "cotangents", back.size(), p.wanted.size());
  for (size_t k = 0; k < back.size(); k++) {
    const Array& input = p.in[static_cast<size_t>(p.wanted[k])];
    if (!back[k] || back[k].shape() == input.shape()) continue;
    refuse(primitive_->name(), "vjp gave a cotangent of shape {} for input {} of shape {}.",
           to_string(back[k].shape()), p.wanted[k], to_string(input.shape()));
  }
  return back;
}

std::optional<Arrays> OwnPrimitive::jvp(const Push& p) const {
  Arrays forward;
  try {
    forward = primitive_->jvp(p.in, p.t, p.wanted);
  } catch (const Primitive::NoRule&) {
    return std::nullopt;
  }
  check_count(*primitive_, "jvp", "tangents", forward.size(), p.out.size());
  for (size_t k = 0; k < forward.size(); k++) {
    if (!forward[k] || forward[k].shape() == p.out[k].shape()) continue;
    refuse(primitive_->name(), "jvp gave a tangent of shape {} for output {} of shape {}.",
           to_string(forward[k].shape()), k, to_string(p.out[k].shape()));
  }
  return forward;
}

std::optional<Batched> OwnPrimitive::vmap(const Batch& b) const {
  Batched batched;
  try {
    std::tie(batched.outputs, batched.axes) = primitive_->vmap(b.in, b.axes);
  } catch (const Primitive::NoRule&) {
    return std::nullopt;
  }
  check_count(*primitive_, "vmap", "outputs", batched.outputs.size(), results_.size());
  check_count(*primitive_, "vmap", "axes", batched.axes.size(), results_.size());
  for (size_t k = 0; k < batched.axes.size(); k++) {
    const int axis = batched.axes[k];
    Shape example = batched.outputs[k].shape();
    if (axis >= static_cast<int>(example.size())) {
      refuse(primitive_->name(), "vmap gave axis {} for output {} of shape {}.", axis, k,
             to_string(example));
    }
  }
  return batched;
}

bool OwnPrimitive::follows_shapes() const {
  Arrays stand_ins;
  for (const Aval& a : inputs_) stand_ins.push_back(placeholder(a.shape, a.dtype));
  try {
    return primitive_->output_shapes(stand_ins).size() == results_.size();
  } catch (const Primitive::NoRule&) {
    return false;
  }
}

bool OwnPrimitive::equals(const Op& other) const {
  if (&other.info() != &type()) return false;
  const auto& o = static_cast<const OwnPrimitive&>(other);
  if (primitive_ == o.primitive_) return true;
  const Primitive& mine = *primitive_;
  const Primitive& theirs = *o.primitive_;
  return typeid(mine) == typeid(theirs) && same(results_, o.results_) && mine.is_equivalent(theirs);
}

size_t OwnPrimitive::hash() const {
  const Primitive& p = *primitive_;
  return typeid(p).hash_code();
}

// --- arrays that primitives make ----------------------------------------------------------------

Array::Array(Shape shape, Dtype dtype, std::shared_ptr<Primitive> primitive, Arrays inputs) {
  if (primitive) {
    *this = make_arrays({std::move(shape)}, {dtype}, primitive, inputs)[0];
  } else if (inputs.empty()) {
    check_shape("array", shape, size_of(dtype));
    *this = adopt(new Node(std::move(shape), dtype));
  } else {
    refuse("array", "Inputs were given without a primitive that takes them.");
  }
}

Arrays Array::make_arrays(std::vector<Shape> shapes, const std::vector<Dtype>& dtypes,
                          const std::shared_ptr<Primitive>& primitive, const Arrays& inputs) {
  if (!primitive) refuse("make_arrays", "There is no primitive.");
  const char* name = primitive->name();
  constexpr size_t most = std::numeric_limits<decltype(Node::output_index)>::max();
  if (shapes.empty() || shapes.size() > most || shapes.size() != dtypes.size()) {
    refuse(name, "{} shapes and {} dtypes were given for the results.", shapes.size(),
           dtypes.size());
  }
  for (size_t i = 0; i < inputs.size(); i++) {
    if (!inputs[i]) refuse(name, "Input {} is no array.", i);
  }
  Avals results;
  for (size_t k = 0; k < shapes.size(); k++) {
    check_shape(name, shapes[k], size_of(dtypes[k]));
    results.push_back({std::move(shapes[k]), dtypes[k]});
  }
  if (auto* built_in = dynamic_cast<const BuiltInPrimitive*>(primitive.get())) {
    Arrays made = built_in->results(inputs, dtypes);
    if (!same(avals_of(made), results)) {
      refuse(name, "The results have not the shapes and dtypes that were stated for them.");
    }
    return made;
  }
  OpRef op(new OwnPrimitive(primitive, inputs, results));
  if (results.size() > 1) return apply_multi(std::move(op), inputs, results, primitive->stream());
  return {apply(std::move(op), inputs, std::move(results[0]), primitive->stream())};
}

// --- what a primitive inherits ------------------------------------------------------------------

Primitive::Primitive(Stream stream) : stream_(stream) {}
Primitive::~Primitive() = default;

namespace {

[[noreturn]] void no_rule(const Primitive& p, const char* rule) {
  throw Primitive::NoRule(fmt::format("[{}] has no {}: define it in its class.", p.name(), rule));
}

}  // namespace

void Primitive::eval_gpu(const Arrays&, Arrays&) {
  throw std::runtime_error(fmt::format("[{}] has no eval_gpu: there is no GPU.", name()));
}
void UnaryPrimitive::eval_gpu(const Arrays&, Array&) {
  throw std::runtime_error(fmt::format("[{}] has no eval_gpu: there is no GPU.", name()));
}
Arrays Primitive::jvp(const Arrays&, const Arrays&, const std::vector<int>&) {
  no_rule(*this, "jvp");
}
Arrays Primitive::vjp(const Arrays&, const Arrays&, const std::vector<int>&, const Arrays&) {
  no_rule(*this, "vjp");
}
std::pair<Arrays, std::vector<int>> Primitive::vmap(const Arrays&, const std::vector<int>&) {
  no_rule(*this, "vmap");
}
std::vector<Shape> Primitive::output_shapes(const Arrays&) {
  no_rule(*this, "output_shapes, which other input sizes than it was made with need");
}
void Primitive::print(std::ostream& stream) { stream << name(); }
bool Primitive::is_equivalent(const Primitive&) const { return false; }

}  // namespace heddle
