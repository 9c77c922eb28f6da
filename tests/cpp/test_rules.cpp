// Rules that are derived from what an op states (transforms/rules.h), and where they are refused.
#include <doctest/doctest.h>

#include "core/op.h"
#include "heddle/heddle.h"
#include "thrown.h"

namespace heddle {
namespace {

using test::what_throws;

// Its fields follow a batch in front, and so does its result.
struct Along {
  static constexpr const char* name = "TestAlong";
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  bool operator==(const Along&) const = default;
  void check(const Arrays&) const {}
  Avals infer(const Arrays& in) const {
    Shape shape = in[0].shape();
    shape[static_cast<size_t>(axis.value)] = 1;
    return {{shape, in[0].dtype()}};
  }
};

// The axis follows; but what it gives is no batch of what it gives for each example.
struct Whole {
  static constexpr const char* name = "TestWhole";
  Axis axis;
  void fields(auto& v) { v("axis", axis); }
  bool operator==(const Whole&) const = default;
  void check(const Arrays&) const {}
  Avals infer(const Arrays& in) const { return {{{in[0].size()}, in[0].dtype()}}; }
};

template <class T>
Function applied(int axis) {
  return [axis](const Arrays& x) {
    return Arrays{apply(make_op<T>(Axis{axis}), {x[0]}, to_stream({}))};
  };
}

}  // namespace

TEST_CASE("a batch in front of all inputs is the default of vmap") {
  const Array x = zeros({5, 2, 3});
  const Array y = vmap(applied<Along>(1))({x})[0];
  CHECK(y.shape() == Shape{5, 2, 1});
  CHECK(vmap(applied<Along>(1), {2})({x})[0].shape() == Shape{3, 5, 1});
}

TEST_CASE("the default of vmap is refused where its results are no batch") {
  const Array x = zeros({5, 2, 3});
  CHECK(what_throws([&] { vmap(applied<Whole>(1))({x}); }) ==
        "[vmap] is not implemented for the operation TestWhole and it has no decomposition.");
}

TEST_CASE("what an op does not state and nothing derives is refused by name") {
  const Array x = zeros({2, 3});
  const Function f = applied<Along>(1);
  CHECK(what_throws([&] {
          vjp(f, {x}, {zeros({2, 1})});
        }) == "[vjp] is not implemented for the operation TestAlong and it has no decomposition.");
  CHECK(what_throws([&] { jvp(f, {x}, {x}); }) ==
        "[jvp] is not implemented for the operation TestAlong and it has no decomposition.");
}

}  // namespace heddle
