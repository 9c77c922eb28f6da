// Transformations of C++ functions, alone and nested.
#include <doctest/doctest.h>

#include <cmath>

#include "core/node.h"
#include "heddle/heddle.h"
#include "heddle/nn.h"
#include "heddle/optim.h"

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

TEST_CASE("compiled functions leave state where the function would") {
  nn::Linear model(3, 1);
  Array x = random::normal({8, 3}), y = sum(x, {1}, true);
  auto train = [&](nn::Linear& m, optim::Optimizer& optimizer) {
    return [&](const Arrays& in) {
      auto loss = [&] { return mean(square(m(in[0]) - in[1])); };
      auto [value, gradients] = nn::value_and_grad(m, loss);
      optimizer.update(m, gradients);
      return Arrays{value};
    };
  };
  nn::Linear eager = model;
  optim::Adam adam(0.1), adam_eager(0.1);
  std::vector<CapturedState> state{captured(model), captured(adam), captured(random::state())};
  int traces = 0;
  Function step = compile(
      [&, inner = train(model, adam)](const Arrays& in) {
        traces++;
        return inner(in);
      },
      state, state);
  auto wanted = train(eager, adam_eager);
  for (int k = 0; k < 6; k++) {
    if (k == 3) {  // what the optimizer remembers may go and is made again
      adam.set_state({{"step", Array(0, uint64)}, {"learning_rate", Array(0.1f)}});
      adam_eager.set_state({{"step", Array(0, uint64)}, {"learning_rate", Array(0.1f)}});
    }
    CHECK(step({x, y})[0].item<float>() == wanted({x, y})[0].item<float>());
    CHECK(array_equal(model.weight, eager.weight).item<bool>());
  }
  CHECK(traces == 2);  // before and after the optimizer knew the parameters
  CHECK(adam.step().item<uint64_t>() == 3);
}

TEST_CASE("a compiled function that keeps what it computed is refused") {
  nn::Linear model(2, 1);
  const Array before = model.weight;
  Function step = compile([&](const Arrays& x) {
    model.weight = model.weight - x[0];
    return Arrays{sum(model.weight)};
  });
  const Array x = ones({1, 2});
  CHECK_THROWS_WITH_AS(step({x}), doctest::Contains("Name the state that it updates"),
                       std::invalid_argument);
  // The state is what the function made of it, not a placeholder.
  CHECK(array_equal(model.weight, before - x).item<bool>());
  Array total(0.0f);
  Function sums = compile(
      [&](const Arrays& in) {
        total = total + in[0];
        return Arrays{total * Array(2.0f)};
      },
      {captured(total)}, {captured(total)});
  CHECK(sums({Array(1.0f)})[0].item<float>() == 2);
  CHECK(sums({Array(2.0f)})[0].item<float>() == 6);
  CHECK(total.item<float>() == 3);
}

TEST_CASE("compile forgets the traces that were used longest ago") {
  int traces = 0;
  Function f = compile([&](const Arrays& x) {
    traces++;
    return Arrays{x[0] + Array(1.0f)};
  });
  for (int n = 1; n <= 600; n++) {
    f({ones({n})});
    f({ones({1})});
  }
  CHECK(traces == 600);
  f({ones({600})});
  CHECK(traces == 600);
  f({ones({2})});
  CHECK(traces == 601);
}

TEST_CASE("compile merges equal scalars, by their bits") {
  Function f = compile([](const Arrays& x) {
    return Arrays{divide(x[0], x[0] * Array(0.0f)), divide(x[0], x[0] * Array(-0.0f)),
                  divide(x[0], x[0] * Array(0.0f))};
  });
  Arrays y = f({Array(1.0f)});
  CHECK(y[0].same_as(y[2]));
  CHECK(y[0].item<float>() == -y[1].item<float>());
}

TEST_CASE("a shapeless function serves all sizes or traces them") {
  int traces = 0;
  auto counted = [&](const Function& fun) {
    return compile(
        [&traces, fun](const Arrays& x) {
          traces++;
          return fun(x);
        },
        true);
  };
  Function gradient = counted(grad([](const Arrays& x) { return Arrays{sum(x[0] * x[0])}; }));
  for (const Shape& shape : {Shape{2, 3}, Shape{4, 5}, Shape{7, 6}}) {
    CHECK(array_equal(gradient({ones(shape)})[0], full(shape, 2.0f)).item<bool>());
  }
  CHECK(traces == 1);
  traces = 0;
  Function parts = counted([](const Arrays& x) { return split(x[0], 2); });
  CHECK(parts({ones({4})}).size() == 2);
  CHECK_THROWS(parts({ones({5})}));
  CHECK(parts({ones({6})})[1].shape() == Shape{3});
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
