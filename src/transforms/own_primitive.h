// The op behind primitives of a program's own (heddle/primitive.h): asks them for their rules and
// checks what they answer. Its kernel (src/cpu/own_primitive.cpp) calls eval_cpu.
#pragma once

#include <memory>

#include "core/op.h"
#include "heddle/primitive.h"

namespace heddle {

class OwnPrimitive final : public Op {
 public:
  // `results` as they were stated for `inputs`.
  OwnPrimitive(std::shared_ptr<Primitive> primitive, const Arrays& inputs, Avals results);

  static const OpInfo& type();
  const OpInfo& info() const override { return type(); }
  std::string title() const override { return primitive_->name(); }
  const std::shared_ptr<Primitive>& primitive() const { return primitive_; }

  // Other dtypes than it was made for are refused; for other sizes the primitive's own
  // output_shapes decides.
  void check(const Arrays& inputs) const override;
  Avals infer(const Arrays& inputs) const override;
  std::optional<Arrays> vjp(const Pull& p) const override;
  std::optional<Arrays> jvp(const Push& p) const override;
  std::optional<Batched> vmap(const Batch& b) const override;

  bool follows_shapes() const override;  // if it states output_shapes
  bool runs_own_code() const override { return true; }
  bool equals(const Op& other) const override;
  size_t hash() const override;

 private:
  std::shared_ptr<Primitive> primitive_;
  Avals inputs_, results_;
};

}  // namespace heddle
