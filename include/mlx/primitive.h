// The base of primitives of a program's own, and how they become heddle's (heddle/primitive.h,
// which has the contract of every member). mlx/primitives.h adds MLX's macros and its own
// primitives.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "heddle/primitive.h"
#include "mlx/array.h"

namespace mlx::core {

// In eval_cpu every input shows row-major memory (mlx/array.h), and results are complete when
// eval_cpu returns: what it dispatches has run by then.
class Primitive {
 public:
  explicit Primitive(Stream stream) : stream_(stream) {}
  virtual ~Primitive() = default;
  Primitive(const Primitive&) = delete;
  Primitive(Primitive&&) = delete;
  Primitive& operator=(const Primitive&) = delete;
  Primitive& operator=(Primitive&&) = delete;

  const Device& device() const { return stream_.device; }
  const Stream& stream() const { return stream_; }

  virtual void eval_cpu(const std::vector<array>& inputs, std::vector<array>& outputs) = 0;
  virtual void eval_gpu(const std::vector<array>&, std::vector<array>&) {}  // never called

  virtual std::vector<array> jvp(const std::vector<array>&, const std::vector<array>&,
                                 const std::vector<int>&) {
    no_rule("jvp");
  }
  virtual std::vector<array> vjp(const std::vector<array>&, const std::vector<array>&,
                                 const std::vector<int>&, const std::vector<array>&) {
    no_rule("vjp");
  }
  virtual std::pair<std::vector<array>, std::vector<int>> vmap(const std::vector<array>&,
                                                               const std::vector<int>&) {
    no_rule("vmap");
  }
  virtual const char* name() const = 0;
  virtual void print(std::ostream& stream) { stream << name(); }
  virtual bool is_equivalent(const Primitive&) const { return false; }
  virtual std::vector<Shape> output_shapes(const std::vector<array>&) { no_rule("output_shapes"); }

 private:
  [[noreturn]] void no_rule(const char* rule) const {
    throw heddle::Primitive::NoRule("[" + std::string(name()) + "] has no " + rule +
                                    ": define it in its class.");
  }
  Stream stream_;
};

class UnaryPrimitive : public Primitive {
 public:
  explicit UnaryPrimitive(Stream stream) : Primitive(stream) {}

  virtual void eval_cpu(const std::vector<array>& inputs, array& output) = 0;
  virtual void eval_gpu(const std::vector<array>&, array&) {}
  void eval_cpu(const std::vector<array>& inputs, std::vector<array>& outputs) override {
    eval_cpu(inputs, outputs[0]);
  }
  void eval_gpu(const std::vector<array>& inputs, std::vector<array>& outputs) override {
    eval_gpu(inputs, outputs[0]);
  }
};

namespace detail {

inline std::vector<heddle::Shape> in(const std::vector<Shape>& shapes) {
  std::vector<heddle::Shape> all;
  for (const Shape& s : shapes) all.push_back(in(s));
  return all;
}
inline std::vector<heddle::Dtype> in(const std::vector<Dtype>& dtypes) {
  return {dtypes.begin(), dtypes.end()};
}
inline std::vector<Shape> out(const std::vector<heddle::Shape>& shapes) {
  std::vector<Shape> all;
  for (const heddle::Shape& s : shapes) all.emplace_back(s.begin(), s.end());
  return all;
}

// heddle's primitive that stands for one of this interface.
class OwnPrimitive final : public heddle::Primitive {
 public:
  explicit OwnPrimitive(std::shared_ptr<core::Primitive> primitive)
      : heddle::Primitive(primitive->stream()), primitive_(std::move(primitive)) {}
  const std::shared_ptr<core::Primitive>& primitive() const { return primitive_; }

  void eval_cpu(const heddle::Arrays& in, heddle::Arrays& out) override {
    std::vector<array> inputs, outputs(out.begin(), out.end());
    for (const heddle::Array& a : in) {
      inputs.push_back(array::operand(a));
      a.data<void>();  // row-major from here on: threads of eval_cpu may read it
    }
    primitive_->eval_cpu(inputs, outputs);
  }
  heddle::Arrays jvp(const heddle::Arrays& primals, const heddle::Arrays& tangents,
                     const std::vector<int>& argnums) override {
    return in(primitive_->jvp(detail::out(primals), detail::out(tangents), argnums));
  }
  heddle::Arrays vjp(const heddle::Arrays& primals, const heddle::Arrays& cotangents,
                     const std::vector<int>& argnums, const heddle::Arrays& outputs) override {
    return in(primitive_->vjp(detail::out(primals), detail::out(cotangents), argnums,
                              detail::out(outputs)));
  }
  std::pair<heddle::Arrays, std::vector<int>> vmap(const heddle::Arrays& inputs,
                                                   const std::vector<int>& axes) override {
    auto [outputs, to] = primitive_->vmap(detail::out(inputs), axes);
    return {in(outputs), std::move(to)};
  }
  const char* name() const override { return primitive_->name(); }
  void print(std::ostream& stream) override { primitive_->print(stream); }
  bool is_equivalent(const heddle::Primitive& other) const override {
    const core::Primitive& mine = *primitive_;
    const core::Primitive& theirs = *static_cast<const OwnPrimitive&>(other).primitive_;
    return &mine == &theirs || (typeid(mine) == typeid(theirs) && mine.is_equivalent(theirs));
  }
  std::vector<heddle::Shape> output_shapes(const heddle::Arrays& inputs) override {
    return in(primitive_->output_shapes(detail::out(inputs)));
  }

 private:
  std::shared_ptr<core::Primitive> primitive_;
};

// An operation of the engine's as a primitive of this interface.
class EnginePrimitive : public Primitive {
 public:
  explicit EnginePrimitive(std::shared_ptr<heddle::BuiltInPrimitive> operation)
      : Primitive(operation->stream()), operation_(std::move(operation)) {}
  const heddle::BuiltInPrimitive& operation() const { return *operation_; }

  void eval_cpu(const std::vector<array>& inputs, std::vector<array>& outputs) override {
    heddle::Arrays to = in(outputs);
    operation_->eval_cpu(in(inputs), to);
  }
  std::vector<array> jvp(const std::vector<array>& primals, const std::vector<array>& tangents,
                         const std::vector<int>& argnums) override {
    return out(operation_->jvp(in(primals), in(tangents), argnums));
  }
  std::vector<array> vjp(const std::vector<array>& primals, const std::vector<array>& cotangents,
                         const std::vector<int>& argnums,
                         const std::vector<array>& outputs) override {
    return out(operation_->vjp(in(primals), in(cotangents), argnums, in(outputs)));
  }
  std::pair<std::vector<array>, std::vector<int>> vmap(const std::vector<array>& inputs,
                                                       const std::vector<int>& axes) override {
    auto [outputs, to] = operation_->vmap(in(inputs), axes);
    return {out(std::move(outputs)), std::move(to)};
  }
  const char* name() const override { return operation_->name(); }
  bool is_equivalent(const Primitive& other) const override {
    const auto* o = dynamic_cast<const EnginePrimitive*>(&other);
    return o && operation_->is_equivalent(*o->operation_);
  }
  std::vector<Shape> output_shapes(const std::vector<array>& inputs) override {
    return out(operation_->output_shapes(in(inputs)));
  }

 private:
  std::shared_ptr<heddle::BuiltInPrimitive> operation_;
};

// The classes of mlx/primitives.h by the kind of operation, in programs that include it.
using ClassOfKind =
    std::map<std::string,
             std::shared_ptr<Primitive> (*)(const std::shared_ptr<heddle::BuiltInPrimitive>&)>;
inline ClassOfKind& class_of_kind() {
  static ClassOfKind table;
  return table;
}

}  // namespace detail

inline std::vector<array> array::make_arrays(std::vector<Shape> shapes,
                                             const std::vector<Dtype>& dtypes,
                                             const std::shared_ptr<Primitive>& primitive,
                                             const std::vector<array>& inputs) {
  std::shared_ptr<heddle::Primitive> as;
  if (auto* built_in = dynamic_cast<const detail::EnginePrimitive*>(primitive.get())) {
    const heddle::BuiltInPrimitive& o = built_in->operation();
    as = heddle::BuiltInPrimitive::make(o.kind(), o.attributes(), o.stream());
  } else if (primitive) {
    as = std::make_shared<detail::OwnPrimitive>(primitive);
  }
  return detail::out(
      heddle::Array::make_arrays(detail::in(shapes), detail::in(dtypes), as, detail::in(inputs)));
}

inline array::array(Shape shape, Dtype dtype, std::shared_ptr<Primitive> primitive,
                    std::vector<array> inputs)
    : array(primitive
                ? make_arrays({shape}, {dtype}, primitive, inputs)[0]
                : array(heddle::Array(detail::in(shape), dtype, nullptr, detail::in(inputs)))) {}

inline std::shared_ptr<Primitive>& array::primitive_ptr() const {
  std::shared_ptr<heddle::Primitive> now = desc().value.primitive();
  std::lock_guard<std::mutex> lock(showing());
  std::shared_ptr<Primitive>& shown = desc().primitive;
  if (auto own = std::dynamic_pointer_cast<detail::OwnPrimitive>(now)) {
    if (shown != own->primitive()) shown = own->primitive();
  } else if (auto operation = std::dynamic_pointer_cast<heddle::BuiltInPrimitive>(now)) {
    auto* before = dynamic_cast<const detail::EnginePrimitive*>(shown.get());
    if (before && &before->operation() == operation.get()) return shown;
    auto at = detail::class_of_kind().find(operation->kind());
    shown = at == detail::class_of_kind().end()
                ? std::make_shared<detail::EnginePrimitive>(operation)
                : at->second(operation);
  } else {
    throw std::invalid_argument("[primitive] " + std::string(now->name()) +
                                " is a primitive of heddle's interface: ask heddle::Array for it.");
  }
  return shown;
}

}  // namespace mlx::core
