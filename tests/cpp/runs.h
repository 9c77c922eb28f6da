// A primitive that runs whatever a test says.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "heddle/primitive.h"

namespace heddle::test {

class Runs : public UnaryPrimitive {
 public:
  using Code = std::function<void(const Arrays&, Array&)>;
  explicit Runs(Code code) : UnaryPrimitive(to_stream({})), code_(std::move(code)) {}
  void eval_cpu(const Arrays& in, Array& out) override { code_(in, out); }
  const char* name() const override { return "Runs"; }

 private:
  Code code_;
};

// A float32 array that the code computes.
inline Array runs(const Shape& shape, const Arrays& in, Runs::Code code) {
  return Array(shape, float32, std::make_shared<Runs>(std::move(code)), in);
}

}  // namespace heddle::test
