// An operation: a small immutable value, its attributes as fields, shared by the nodes it makes.
// It knows the shapes and dtypes of its results, its derivative and its batching. It knows no
// device: backends find their kernel by `OpInfo::id`.
//
// An op is a plain struct. Its name is the op's in files and tables (another one is stated as
// `name`). It states
//   void fields(auto& v)                   v("axis", axis)("kind", kind); each field once, if any
//   void check(const Arrays& in) const     refuses what does not fit
//   Avals infer(const Arrays& in) const    shapes and dtypes of the results, if not those of in[0]
// and those rules that do not follow from its fields (core/fields.h) and kind:
//   vjp(const Pull&), jvp(const Push&), vmap(const Batch&), decompose(in, stream),
//   is_linear(), follows_shapes()
// An op without a rule is decomposed (transforms/rules.h). OpOf<X>, below, makes an Op of it:
//   Array y = apply(X{axis}, {x}, stream);
// A struct that is more than its fields says so (`static constexpr bool opaque = true`): it is
// equal to itself alone, and nothing that can be made from values.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fields.h"
#include "heddle/array.h"

namespace heddle {

enum class Code : uint8_t;  // core/code.h: a new function of elements compiles no other ops again

// Shape and dtype of an array that may not exist yet.
struct Aval {
  Shape shape;
  Dtype dtype = Dtype::float32;
};
using Avals = std::vector<Aval>;

class OpRef;

// What a backend and the registry know of a kind of operation.
struct OpInfo {
  int id;
  std::string name;
  std::vector<FieldInfo> fields;
  bool pins_sizes = false;  // a field may
  // The op with these values for its fields; `apply` checks it against inputs. Throws
  // std::invalid_argument "[name] ..." for values that are missing or of another kind; further ones
  // are not looked at. Not set if the op is more than its fields.
  std::function<OpRef(const Attributes&)> make;
};
// From any thread. Throws std::logic_error for a name that an op has already.
const OpInfo& register_op(std::string name, std::vector<FieldInfo> fields = {},
                          std::function<OpRef(const Attributes&)> make = {});
// Null for an unknown name.
const OpInfo* find_op(std::string_view name);
std::vector<const OpInfo*> registered_ops();

// What rules get. `wanted` are the numbers of inputs to derive by; rules answer in that order, with
// empty arrays for zero. Work belongs to `stream`, where arrays without a stream land as well.
struct Pull {
  const Arrays& in;
  const Arrays& out;
  const Arrays& g;  // cotangents of the outputs
  const std::vector<int>& wanted;
  const Stream& stream;
};
struct Push {
  const Arrays& in;
  const Arrays& out;
  const Arrays& t;  // tangents of the inputs `wanted`; the others are constant
  const std::vector<int>& wanted;
  const Stream& stream;
};
struct Batch {
  const Arrays& in;
  const std::vector<int>& axes;  // where the inputs are batched; -1: not
  const Stream& stream;
};
// Outputs, and where they are batched.
struct Batched {
  Arrays outputs;
  std::vector<int> axes;
};

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

  // Cotangents of the inputs wanted, tangents of the outputs, batched outputs; nullopt: there is no
  // rule for these inputs.
  virtual std::optional<Arrays> vjp(const Pull&) const { return std::nullopt; }
  virtual std::optional<Arrays> jvp(const Push&) const { return std::nullopt; }
  virtual std::optional<Batched> vmap(const Batch&) const { return std::nullopt; }
  // The op for inputs that have a batch of `n` in front of what they had, whose results have it in
  // front as well; null if nothing is known of it. What the types of the fields say.
  virtual OpRef with_batch(int64_t /*n*/) const;
  // The same results composed of other ops.
  virtual std::optional<Arrays> decompose(const Arrays& /*in*/, const Stream&) const {
    return std::nullopt;
  }
  // Cheap: whether decompose() composes anything, for any inputs.
  virtual bool decomposes() const { return false; }

  // Set for pointwise ops (ops/pointwise.h), which evaluation groups, and what they compute.
  virtual bool is_pointwise() const { return false; }
  virtual Code pointwise_code() const { return Code{}; }
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
  // Of its fields, as OpInfo::make takes them.
  virtual Attributes attributes() const { return {}; }
  std::string describe() const;  // "axis=1, kind=sum"

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

inline OpRef Op::with_batch(int64_t) const { return OpRef(); }

// A struct that states an op, and the name that it has.
template <class T>
concept Statement = requires(const T& op, const Arrays& in) {
  op.check(in);
};
template <Statement T>
constexpr const char* op_name() {
  if constexpr (requires { T::name; }) {
    return T::name;
  } else {
    return detail::struct_name<T>.data();
  }
}

// An op of the class of ops that the struct T states.
template <class T>
class OpOf final : public Op {
 public:
  const T value;
  explicit OpOf(T v) : value(std::move(v)) {}

  // Registered on first use, which kernels' static objects may be, or when the program starts.
  static const OpInfo& type() {
    static const OpInfo& info = []() -> const OpInfo& {
      std::vector<FieldInfo> fields;
      if constexpr (is_value) {
        detail::check_members<T>(op_name<T>());
        T none{};
        detail::for_each_field(none, [&](const char* field, auto& f) {
          fields.push_back(detail::info_of<std::decay_t<decltype(f)>>(field));
        });
        return register_op(op_name<T>(), std::move(fields), made);
      }
      return register_op(op_name<T>());
    }();
    return info;
  }
  const OpInfo& info() const override { return registered_; }

  void check(const Arrays& in) const override {
    if (!in.empty() && in[0].node() != nullptr) {
      const int ndim = in[0].ndim();
      each([&](const char* field, auto& f) { detail::check_field(op_name<T>(), field, f, ndim); });
    }
    value.check(in);
  }
  Avals infer(const Arrays& in) const override {
    if constexpr (requires { value.infer(in); }) return value.infer(in);
    return {{in[0].shape(), in[0].dtype()}};
  }

  std::optional<Arrays> vjp(const Pull& p) const override {
    if constexpr (requires { value.vjp(p); }) return value.vjp(p);
    if constexpr (requires { T::is_constant; }) return Arrays(p.wanted.size());
    return std::nullopt;
  }
  std::optional<Arrays> jvp(const Push& p) const override {
    if constexpr (requires { value.jvp(p); }) return value.jvp(p);
    if constexpr (requires { T::is_constant; }) return Arrays(p.out.size());
    return std::nullopt;
  }
  std::optional<Batched> vmap(const Batch& b) const override {
    if constexpr (requires { value.vmap(b); }) return value.vmap(b);
    return std::nullopt;
  }
  // An op that decomposes is not batched so, unless it states `batches`.
  OpRef with_batch(int64_t n) const override {
    if constexpr (!has_decomposition || requires { T::batches; }) {
      T moved = value;
      detail::for_each_field(moved, [&](const char*, auto& f) { detail::batch_field(f, n); });
      return OpRef(new OpOf(std::move(moved)));
    }
    return OpRef();
  }
  std::optional<Arrays> decompose(const Arrays& in, const Stream& s) const override {
    if constexpr (has_decomposition) return value.decompose(in, s);
    return std::nullopt;
  }
  bool decomposes() const override { return has_decomposition; }

  bool is_pointwise() const override {
    return requires { T::computes; };
  }
  Code pointwise_code() const override {
    if constexpr (requires { T::computes; }) return T::computes;
    return Code{};
  }
  bool is_linear() const override {
    if constexpr (requires { value.is_linear(); }) return value.is_linear();
    return false;
  }
  bool follows_shapes() const override {
    if constexpr (requires { value.follows_shapes(); }) return value.follows_shapes();
    return !registered_.pins_sizes;
  }
  bool is_pure() const override { return is_value; }

  bool equals(const Op& other) const override {
    if constexpr (is_value) {
      return &other.info() == &registered_ &&
             detail::same_fields(value, static_cast<const OpOf&>(other).value);
    }
    return this == &other;
  }
  size_t hash() const override {
    size_t h = static_cast<size_t>(registered_.id);
    each([&](const char*, auto& f) { h = detail::mixed(h, detail::hash_value(f)); });
    return h;
  }
  Attributes attributes() const override {
    Attributes all;
    each([&](const char* field, auto& f) { all.emplace_back(field, detail::value_of(f)); });
    return all;
  }

 private:
  static constexpr bool is_value = !requires { T::opaque; };
  static constexpr bool has_decomposition =
      requires(const T& t, const Arrays& in, const Stream& s) {
    t.decompose(in, s);
  };

  // Visiting is one function for reading and writing; this only reads.
  template <class F>
  void each(F f) const {
    detail::for_each_field(const_cast<T&>(value), std::move(f));
  }
  static OpRef made(const Attributes& values) {
    T op{};
    detail::for_each_field(
        op, [&](const char* field, auto& f) { detail::assign(op_name<T>(), field, values, f); });
    return OpRef(new OpOf(std::move(op)));
  }

  inline static const OpInfo& registered_ = type();
};

template <Statement T>
OpRef make_op(T op) {
  return OpRef(new OpOf<T>(std::move(op)));
}
template <class T, class... Args>
OpRef make_op(Args&&... args) {
  return OpRef(new OpOf<T>(T{std::forward<Args>(args)...}));
}

// The struct of an op that is known to be of that class; null if it is of another.
template <class T>
const T& op_as(const Op& op) {
  return static_cast<const OpOf<T>&>(op).value;
}
template <class T>
const T* op_if(const Op& op) {
  return &op.info() == &OpOf<T>::type() ? &op_as<T>(op) : nullptr;
}

// Makes the lazy result(s) of an op: checks the inputs, infers shapes and dtypes, links the inputs.
// For MLX's rule that work belongs to a stream, `stream` is resolved from the public function's
// last parameter.
Array apply(OpRef op, Arrays inputs, const Stream& stream);
Arrays apply_multi(OpRef op, Arrays inputs, const Stream& stream);
// With known results, where the caller has checked the inputs and inferred them.
Array apply(OpRef op, Arrays inputs, Aval result, const Stream& stream);
Arrays apply_multi(OpRef op, Arrays inputs, const Avals& results, const Stream& stream);
template <Statement T>
Array apply(T op, Arrays inputs, const Stream& stream) {
  return apply(make_op(std::move(op)), std::move(inputs), stream);
}
template <Statement T>
Arrays apply_multi(T op, Arrays inputs, const Stream& stream) {
  return apply_multi(make_op(std::move(op)), std::move(inputs), stream);
}

}  // namespace heddle
