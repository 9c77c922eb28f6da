// Transformations of C++ functions, alone and nested.
#include <doctest/doctest.h>

#include <cmath>

#include "core/node.h"
#include "heddle/heddle.h"

using namespace heddle;

namespace {

Function scalar(Array (*f)(const Array&)) {
  return [f](const Arrays& x) { return Arrays{f(x[0])}; };
}

Array sine(const Array& x) { return sin(x); }
Array cube(const Array& x) { return x * x * x; }

}  // namespace

TEST_CASE("grad of a scalar function, up to three times") {
  Function f = scalar(cube);
  CHECK(grad(f)({Array(2.0f)})[0].item<float>() == 12.0f);
  CHECK(grad(grad(f))({Array(2.0f)})[0].item<float>() == 12.0f);
  CHECK(grad(grad(grad(f)))({Array(2.0f)})[0].item<float>() == 6.0f);
}

TEST_CASE("jvp agrees with vjp") {
  Array x(0.3f), one(1.0f);
  float forward = jvp(scalar(sine), {x}, {one}).second[0].item<float>();
  float backward = vjp(scalar(sine), {x}, {one}).second[0].item<float>();
  CHECK(forward == doctest::Approx(std::cos(0.3)));
  CHECK(forward == backward);
}

TEST_CASE("the gradients of a product are laid out as its operands") {
  Array x = random::normal({3, 5}), w = random::normal({4, 5}), y = random::normal({3, 4});
  for (bool with_addend : {false, true}) {
    Function product = [&](const Arrays& in) {
      Array left = transpose(in[0]), right = transpose(in[1]);
      Array out = with_addend ? addmm(zeros({4}, float32), left, right) : matmul(left, right);
      return Arrays{sum(out * y)};
    };
    Arrays g = grad(product, {0, 1})({contiguous(transpose(x)), w});
    eval(g);
    CHECK(g[0].node()->strides == Strides{3, 1});
    CHECK(g[1].node()->strides == Strides{5, 1});
    CHECK(allclose(g[0], transpose(matmul(y, w))).item<bool>());
    CHECK(allclose(g[1], matmul(transpose(y), x)).item<bool>());
  }
}

TEST_CASE("vmap of grad") {
  float values[] = {1, 2, 3};
  Array x(values, Shape{3});
  Array g = vmap(grad(scalar(cube)))({x})[0];
  g.eval();
  for (int i = 0; i < 3; i++) CHECK(g.data<float>()[i] == 3 * values[i] * values[i]);
}

TEST_CASE("values are allowed inside grad, but not inside vmap and compile") {
  Function f = [](const Arrays& x) {
    CHECK(x[0].item<float>() == 2.0f);
    Array y = x[0] * x[0];
    eval(y);
    return Arrays{y * x[0]};
  };
  CHECK(grad(f)({Array(2.0f)})[0].item<float>() == 12.0f);
  // A value kept for the trace lets go of what it was computed from once the gradient is there.
  Function steps = [](const Arrays& x) {
    Array y = exp(x[0]) * Array(0.1f);
    y.eval();
    y = y * y;
    y.eval();
    return Arrays{y};
  };
  CHECK(grad(steps)({Array(0.0f)})[0].item<float>() == doctest::Approx(0.02));
  Function peeks = [](const Arrays& x) { return Arrays{Array(x[0].item<float>())}; };
  CHECK_THROWS_AS(compile(peeks)({Array(1.0f)}), std::invalid_argument);
}

TEST_CASE("compile traces once per shape and merges equal steps") {
  int traces = 0;
  Function f = compile([&](const Arrays& x) {
    traces++;
    return Arrays{exp(x[0]) + exp(x[0])};
  });
  CHECK(f({Array(1.0f)})[0].item<float>() == doctest::Approx(2 * std::exp(1.0)));
  CHECK(f({Array(2.0f)})[0].item<float>() == doctest::Approx(2 * std::exp(2.0)));
  CHECK(traces == 1);
  f({Array({1.0f, 2.0f})});
  CHECK(traces == 2);
  Function shapeless = compile(
      [&](const Arrays& x) {
        traces++;
        return Arrays{x[0] * Array(2.0f)};
      },
      true);
  CHECK(shapeless({Array({1.0f, 2.0f})})[0].shape() == Shape{2});
  CHECK(shapeless({Array({1.0f, 2.0f, 3.0f})})[0].shape() == Shape{3});
  CHECK(traces == 3);
}

TEST_CASE("custom rules replace the function's own, checkpoint keeps them") {
  CustomRules rules;
  rules.vjp = [](const Arrays&, const Arrays& g, const Arrays&) {
    return Arrays{g[0] * Array(10.0f)};
  };
  Function f = custom_function(scalar(sine), rules);
  CHECK(grad(f)({Array(0.5f)})[0].item<float>() == 10.0f);
  CHECK(f({Array(0.5f)})[0].item<float>() == doctest::Approx(std::sin(0.5)));
  Function twice = checkpoint(scalar(cube));
  CHECK(grad(twice)({Array(2.0f)})[0].item<float>() == 12.0f);
}

TEST_CASE("a loss that is not scalar is refused") {
  CHECK_THROWS_WITH_AS(
      grad(scalar(sine))({Array({1.0f, 2.0f})}),
      doctest::Contains("[vjp] Output shape (2) does not match cotangent shape ()."),
      std::invalid_argument);
}
