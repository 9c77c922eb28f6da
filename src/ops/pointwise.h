// Pointwise operations: one result element from the elements at the same (broadcast) position.
// Inputs of one op have one dtype (select's condition aside) and any shapes that broadcast.
#pragma once

#include <functional>

#include "core/code.h"
#include "core/op.h"

namespace heddle {

class Pointwise final : public Op {
 public:
  // What the operands may be. Integers and bools are promoted to float32 by `inexact` functions,
  // and complex numbers refused by `real` ones; `bits` are integers and bools.
  enum class Domain : uint8_t { any, inexact, real, real_inexact, bits };
  // The dtype of the result.
  enum class Result : uint8_t { same, boolean, real };

  // g * (partial derivative of the result with respect to operand i) for a cotangent or tangent g.
  // An empty Array stands for zero. `inputs` may be broadcast against each other.
  //
  // A formula has to hold wherever the derivative is in range, at infinite operands as its limit:
  // no factor may overflow or vanish that the whole does not (squares of operands, exponentials
  // beside their reciprocals), and no branch of a `where` may be NaN that a derivative runs
  // through. tests/python/samples/exact.py states what is wanted at kinks and poles.
  using Partial = Array (*)(const Arrays& inputs, const Array& output, const Array& g);

  // It is held by what it is registered with, so that it lives as long as the process.
  Pointwise(std::string name, Code code)
      : info_(register_op(std::move(name), {},
                          [self = OpRef(this)](const Attributes&) { return self; })),
        code_(code) {}

  // How an op is stated; each returns the op, so that they chain.
  Pointwise& takes(Domain d) { return domain_ = d, *this; }
  // The public function that refuses operands, where its name is not the op's.
  Pointwise& called(const char* function) { return function_ = function, *this; }
  Pointwise& gives(Result r) { return result_ = r, *this; }
  Pointwise& partials(std::initializer_list<Partial> p) { return partials_ = p, *this; }
  // Partials of one operation, which may be taken in halves; others get halves as float32.
  Pointwise& short_partials(std::initializer_list<Partial> p) {
    widens_ = false;
    return partials(p);
  }

  Code pointwise_code() const override { return code_; }
  bool promotes() const { return domain_ == Domain::inexact || domain_ == Domain::real_inexact; }
  // Refuses operands outside of the domain; they need not have one dtype yet.
  void require_domain(const Arrays& operands) const {
    if (domain_ >= Domain::real) check_domain(operands);
  }
  Dtype result_dtype(Dtype operand) const {
    if (result_ == Result::boolean) return Dtype::bool_;
    if (result_ == Result::real && operand == Dtype::complex64) return Dtype::float32;
    return operand;
  }

  const OpInfo& info() const override { return info_; }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& inputs) const override;
  std::optional<Arrays> vjp(const Pull& p) const override;
  std::optional<Arrays> jvp(const Push& p) const override;
  std::optional<Batched> vmap(const Batch& b) const override;
  bool is_pointwise() const override { return true; }
  bool equals(const Op& other) const override { return this == &other; }
  size_t hash() const override { return static_cast<size_t>(info_.id); }

 private:
  void check_domain(const Arrays& operands) const;
  // The result's terms g_k * partial_k for operands argnums[k], empty where they are zero.
  Arrays terms(const Arrays& inputs, const Array& output, const std::vector<int>& argnums,
               const std::function<Array(size_t)>& g) const;

  const OpInfo& info_;
  Code code_;
  Domain domain_ = Domain::any;
  const char* function_ = nullptr;
  Result result_ = Result::same;
  std::vector<Partial> partials_;  // none: the derivative is zero everywhere
  bool widens_ = true;
};

// Conversion to another dtype; linear between inexact types.
struct AsType {
  static constexpr Code computes = Code::copy;
  Dtype dtype;
  void fields(auto& v) { v("dtype", dtype); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& inputs) const { return {{inputs[0].shape(), dtype}}; }
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Arrays> jvp(const Push& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  bool is_pointwise() const { return true; }
};

// Identity that gradients do not pass.
struct StopGradient {
  void check(const Arrays& in) const;
  static constexpr bool is_constant = true;
};

// Identity with a node of its own: the inputs of a trace.
struct Copy {
  void check(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const { return p.g; }
  bool is_linear() const { return true; }
};
Array identity(const Array& x, StreamOrDevice s = {});

}  // namespace heddle
