// Ops as data: fields give values, values make the op again, and what a field may hold is said.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "core/node.h"
#include "core/op.h"
#include "heddle/heddle.h"
#include "ops/creation.h"
#include "ops/index.h"
#include "ops/layout.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "transforms/rules.h"

using namespace heddle;

namespace {

std::string refusal(const std::string& op, const Attributes& values) {
  try {
    find_op(op)->make(values);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

// One that would equal others of another `scale`.
struct Forgetful {
  int axis = 0;
  float scale = 1;
  void fields(auto& v) { v("axis", axis); }
};
struct Nested {
  Quantization format;
  Axes axes;
  Shape sizes;
  void fields(auto& v) { v("format", format)("axes", axes)("sizes", sizes); }
};

TEST_CASE("an op that leaves a member out of its fields is refused") {
  CHECK_THROWS_WITH_AS(detail::check_members<Forgetful>("Forgetful"),
                       "[Forgetful] fields() visits 1 of its 2 members.", std::logic_error);
  detail::check_members<Nested>("Nested");
}

TEST_CASE("an op is made again from the values of its fields") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const OpRef ops[] = {make_op<Reduce>(Reduction::max, std::vector<int>{0, 2}),
                       make_op<Slice>(Shape{1, slice_end}, Shape{slice_end, 5}, Shape{1, 2}),
                       make_op<BorderPad>(Shape{1}, Shape{0}, BorderMode::symmetric),
                       make_op<LayerNorm>(-0.0f, true, false),
                       make_op<RMSNorm>(nan, true),
                       make_op<Quantize>(Quantization{32, 4, QuantizationMode::mxfp4}, true),
                       make_op<ViewAs>(bfloat16)};
  for (const OpRef& op : ops) {
    const OpRef again = op->info().make(op->attributes());
    CHECK(again->equals(*op));
    CHECK(again->hash() == op->hash());
    CHECK(again->describe() == op->describe());
    for (const OpRef& other : ops) CHECK(again->equals(*other) == (&other == &op));
  }
  CHECK(ops[0]->describe() == "reduction=max, axes=[0,2]");
  // Numbers are compared by their bits.
  CHECK_FALSE(make_op<LayerNorm>(0.0f, true, false)->equals(*ops[3]));
}

TEST_CASE("every registered op that can be made says what its fields are") {
  for (const OpInfo* info : registered_ops()) {
    CHECK(find_op(info->name) == info);
    if (!info->make || info->fields.empty()) continue;
    INFO(info->name);
    CHECK(refusal(info->name, {}).find("is missing where") != std::string::npos);
  }
  CHECK(find_op("NoSuchOp") == nullptr);
}

TEST_CASE("values of another kind are refused by the name of the field") {
  const std::vector<int64_t> axes{0};
  CHECK(refusal("Reduce", {{"reduction", std::string("sum")}}) ==
        "[reduce] axes is missing where a list of integers of 32 bits is wanted.");
  CHECK(refusal("Reduce", {{"reduction", std::string("median")}, {"axes", axes}}) ==
        "[reduce] reduction is median where one of its names is wanted (sum, prod, min, max, all, "
        "any).");
  CHECK(refusal("Reduce", {{"reduction", int64_t{0}}, {"axes", axes}}) != "");
  CHECK(refusal("ArgReduce", {{"reduction", std::string("argmin")}, {"axis", int64_t{1} << 40}}) !=
        "");
  CHECK(refusal("LayerNorm",
                {{"eps", std::string("small")}, {"has_weight", true}, {"has_bias", true}}) != "");
}

TEST_CASE("what is made from values is checked against its inputs like any other") {
  const Array x = zeros({2, 3});
  auto apply_made = [&](std::vector<int64_t> axes) {
    const Attributes values{{"reduction", std::string("sum")}, {"axes", std::move(axes)}};
    return apply(find_op("Reduce")->make(values), {x}, to_stream({}));
  };
  CHECK(apply_made({1}).shape() == Shape{2, 1});
  CHECK_THROWS_AS(apply_made({2}), AxisError);
  CHECK_THROWS_AS(apply_made({-1}), AxisError);
  const Attributes border{{"before", Shape{1}}, {"after", Shape{1}}, {"mode", std::string("edge")}};
  CHECK_THROWS_AS(apply(find_op("BorderPad")->make(border), {x}, to_stream({})),
                  std::invalid_argument);
}

TEST_CASE("sizes are counted when a graph runs") {
  const Array x = zeros({2, 3, 4});
  CHECK(number_of_elements(x, {0, -1}).item<int>() == 8);
  CHECK(number_of_elements(x, {1}, true, float64).item<double>() == 1.0 / 3.0);
  const OpRef op = make_op<NumberOfElements>(std::vector<int>{0, 1}, false, int64);
  CHECK(apply(op, {x}, to_stream({})).item<int64_t>() == 6);
  CHECK_THROWS_AS(apply(op, {zeros({2})}, to_stream({})), AxisError);
  // Of one example, wherever the batch is.
  for (int batch = 0; batch < 3; batch++) {
    const Batched counted = vmap_of(*op, {{x}, {batch}, to_stream({})});
    CHECK(counted.axes[0] == -1);
    CHECK(counted.outputs[0].item<int64_t>() == 24 / x.shape(batch));
  }
}

TEST_CASE("derivatives belong to the stream of what they are derivatives of") {
  const Stream other = new_stream(Device{});
  int steps = 0;
  auto f = [&](const Arrays& in) {
    const Array& x = in[0];
    return Arrays{
        sum(multiply(tanh(x, other), softmax(x, std::vector<int>{-1}, false, other), other), false,
            other)};
  };
  const Array x = ones({2, 3});
  x.eval();
  const Array g = vjp(f, {x}, {Array(1.0f)}).second[0];
  std::vector<Array> left{g};
  while (!left.empty()) {
    const Array a = left.back();
    left.pop_back();
    if (a.is_available() || a.node()->inputs.empty()) continue;
    // Scalars and the inputs of a trace have no stream of their own.
    if (a.ndim() > 0 && a.node()->op->name() != "Copy") {
      INFO(a.node()->op->name());
      CHECK(a.node()->stream == other.index);
      steps++;
    }
    for (const Array& in : a.node()->inputs) left.push_back(in);
  }
  CHECK(steps > 3);
}

}  // namespace
