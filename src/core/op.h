// An operation: a small immutable value, its attributes as fields, shared by the nodes it makes.
// It knows the shapes and dtypes of its results, its derivative and its batching. It knows no
// device: backends find their kernel by `OpInfo::id`.
//
// Concrete ops derive from OpClass<Derived> and state
//   static constexpr const char* name                          the name in files and tables
//   template <class V> void attributes(V& v) const             v("axis", axis); ... each field once
//   void check(const Arrays& inputs) const                     refuses what does not fit
//   Avals infer(const Arrays& inputs) const                    shapes and dtypes of the results
// and whichever rules they have. An op without a rule is decomposed (see transforms/rules.h).
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "heddle/array.h"

namespace heddle {

// Shape and dtype of an array that may not exist yet.
struct Aval {
  Shape shape;
  Dtype dtype = Dtype::float32;
};
using Avals = std::vector<Aval>;

// What a backend and the registry know of a kind of operation.
struct OpInfo {
  int id;
  std::string name;
};
// From any thread. Throws std::logic_error for a name that an op has already.
const OpInfo& register_op(std::string name);
std::vector<const OpInfo*> registered_ops();

class Op {
 public:
  Op() = default;
  Op(const Op&) {}
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual const OpInfo& info() const = 0;
  const std::string& name() const { return info().name; }
  // What people read: in messages and pictures of graphs.
  virtual std::string title() const { return name(); }
  // How messages call it: "broadcast_to" for BroadcastTo.
  std::string function_name() const;

  // Refuses inputs (and attributes for these inputs) that do not fit, in number, shape or dtype,
  // with the words of the public function. It runs once on every way in, before `infer`: a call, a
  // rule's result, a replay at other sizes, a file. So `infer`, rules and kernels, which check
  // nothing, never read or write beyond an array. What it costs, every node costs.
  virtual void check(const Arrays& inputs) const = 0;
  // Shapes and dtypes of the results, for inputs that `check` lets pass; throws where only working
  // them out shows that there is no result.
  virtual Avals infer(const Arrays& inputs) const = 0;

  // Cotangents for inputs argnums[k], in that order.
  virtual std::optional<Arrays> vjp(const Arrays& /*inputs*/, const Arrays& /*cotangents*/,
                                    const std::vector<int>& /*argnums*/,
                                    const Arrays& /*outputs*/) const {
    return std::nullopt;
  }
  // Tangents of the outputs from tangents of inputs argnums[k] (the others are constant).
  virtual std::optional<Arrays> jvp(const Arrays& /*inputs*/, const Arrays& /*tangents*/,
                                    const std::vector<int>& /*argnums*/,
                                    const Arrays& /*outputs*/) const {
    return std::nullopt;
  }
  // Inputs with batch axes (-1: none) to outputs with theirs.
  struct Batched {
    Arrays outputs;
    std::vector<int> axes;
  };
  virtual std::optional<Batched> vmap(const Arrays& /*inputs*/, const std::vector<int>& /*axes*/,
                                      const Stream& /*stream*/) const {
    return std::nullopt;
  }
  // The same results composed of other ops.
  virtual std::optional<Arrays> decompose(const Arrays& /*inputs*/, const Stream& /*s*/) const {
    return std::nullopt;
  }

  // Set for ops of the pointwise class (ops/pointwise.h), which evaluation groups.
  virtual bool is_pointwise() const { return false; }
  // Linear in every floating input taken together, and with no effect of other inputs on which
  // elements move: then jvp is the op itself on the tangents.
  virtual bool is_linear() const { return false; }
  // Means the same for inputs of any size: no attribute may be a size or a position taken from the
  // inputs of a trace, however it came there. Else a shapeless program is traced again at other
  // sizes.
  virtual bool follows_shapes() const { return is_pointwise(); }
  // Random or stateful ops, custom functions: never merged with an equal one.
  virtual bool is_pure() const { return true; }
  // Its kernel runs code that is not the engine's, which may evaluate arrays itself.
  virtual bool runs_own_code() const { return false; }

  virtual bool equals(const Op& other) const = 0;
  virtual size_t hash() const = 0;
  virtual std::string describe() const = 0;  // "axis=1, keepdims=true"

 private:
  friend class OpRef;
  mutable std::atomic<int> references_{0};
};

// Shared handle on an immutable op.
class OpRef {
 public:
  OpRef() = default;
  explicit OpRef(const Op* op) : op_(op) { retain(); }
  OpRef(const OpRef& o) : op_(o.op_) { retain(); }
  OpRef(OpRef&& o) noexcept : op_(std::exchange(o.op_, nullptr)) {}
  OpRef& operator=(OpRef o) noexcept {
    std::swap(op_, o.op_);
    return *this;
  }
  ~OpRef() { reset(); }
  void reset() {
    const Op* op = std::exchange(op_, nullptr);
    if (op && op->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete op;
  }
  const Op* get() const { return op_; }
  const Op* operator->() const { return op_; }
  const Op& operator*() const { return *op_; }
  explicit operator bool() const { return op_ != nullptr; }

 private:
  void retain() const {
    if (op_) op_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  const Op* op_ = nullptr;
};

template <class T, class... Args>
OpRef make_op(Args&&... args) {
  return OpRef(new T{std::forward<Args>(args)...});
}

namespace detail {

template <class T>
size_t hash_value(const T& v) {
  if constexpr (requires {
                  v.begin();
                  v.end();
                }) {
    size_t h = 0x9e37;
    for (const auto& e : v) h = h * 1099511628211u + hash_value(e);
    return h;
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<size_t>(v);
  } else {
    return std::hash<T>{}(v);
  }
}

template <class T>
std::string text_of(const T& v) {
  if constexpr (std::is_same_v<T, std::string>) {
    return v;
  } else if constexpr (std::is_same_v<T, Dtype>) {
    return std::string(name_of(v));
  } else if constexpr (requires {
                         v.begin();
                         v.end();
                       }) {
    std::string s;
    for (const auto& e : v) s.append(s.empty() ? "" : ",").append(text_of(e));
    return fmt::format("[{}]", s);
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<int>(v));
  } else if constexpr (std::is_same_v<T, bool>) {
    return v ? "true" : "false";
  } else {
    return fmt::format("{}", v);
  }
}

struct HashVisitor {
  size_t value = 0;
  template <class T>
  void operator()(const char*, const T& v) {
    value = value * 31 + hash_value(v);
  }
};

struct TextVisitor {
  std::string text;
  template <class T>
  void operator()(const char* name, const T& v) {
    text += (text.empty() ? "" : ", ") + std::string(name) + "=" + text_of(v);
  }
};

// Numbers are equal by their bits: 0.0 is not -0.0, and NaN is itself.
template <class T>
bool same_value(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
  } else {
    return a == b;
  }
}

// Walks the attributes of two ops of one class in step.
template <class D>
struct EqualVisitor {
  const D& other;
  int index = 0;
  bool equal = true;
  template <class T>
  void operator()(const char*, const T& mine) {
    int i = 0, wanted = index++;
    auto compare = [&](const char*, const auto& theirs) {
      if (i++ == wanted) {
        if constexpr (std::is_same_v<std::decay_t<decltype(theirs)>, T>) {
          equal &= same_value(mine, theirs);
        }
      }
    };
    other.attributes(compare);
  }
};

}  // namespace detail

template <class Derived>
class OpClass : public Op {
 public:
  // Registered on first use, which kernels' static objects may be, or when the program starts.
  static const OpInfo& type() {
    static const OpInfo& info = register_op(Derived::name);
    return info;
  }
  const OpInfo& info() const final { return registered_; }
  template <class V>
  void attributes(V&) const {}  // none, unless the class has some

  bool equals(const Op& other) const final {
    if (&other.info() != &registered_) return false;
    detail::EqualVisitor<Derived> v{static_cast<const Derived&>(other)};
    static_cast<const Derived*>(this)->attributes(v);
    return v.equal;
  }
  size_t hash() const final {
    detail::HashVisitor v;
    static_cast<const Derived*>(this)->attributes(v);
    return v.value;
  }
  std::string describe() const final {
    detail::TextVisitor v;
    static_cast<const Derived*>(this)->attributes(v);
    return v.text;
  }

 private:
  inline static const OpInfo& registered_ = type();
};

// Makes the lazy result(s) of an op: checks the inputs, infers shapes and dtypes, links the inputs.
// For MLX's rule that work belongs to a stream, `stream` is resolved from the public function's
// last parameter.
Array apply(OpRef op, Arrays inputs, const Stream& stream);
Arrays apply_multi(OpRef op, Arrays inputs, const Stream& stream);
// With known results, where the caller has checked the inputs and inferred them.
Array apply(OpRef op, Arrays inputs, Aval result, const Stream& stream);
Arrays apply_multi(OpRef op, Arrays inputs, const Avals& results, const Stream& stream);

}  // namespace heddle
