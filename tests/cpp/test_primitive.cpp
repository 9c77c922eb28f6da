// Primitives of a program's own: in every transformation, with every mistake.
#include <doctest/doctest.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "heddle/export.h"
#include "heddle/ops.h"
#include "heddle/primitive.h"
#include "heddle/transforms.h"
#include "runs.h"
#include "tensor.h"
#include "thrown.h"

using namespace heddle;
using heddle::test::Runs;
using heddle::test::runs;
using heddle::test::what_throws;

namespace {

// Element i of an array that lies as its strides say.
float at(const Array& a, int64_t i) {
  int64_t place = 0;
  for (int axis = a.ndim() - 1; axis >= 0; axis--) {
    place += i % a.shape(axis) * a.strides(axis);
    i /= a.shape(axis);
  }
  return static_cast<const float*>(a.raw_data())[place];
}

// alpha x + beta y, with every rule.
class Axpby : public UnaryPrimitive {
 public:
  Axpby(Stream s, float alpha, float beta) : UnaryPrimitive(s), alpha_(alpha), beta_(beta) {}

  void eval_cpu(const Arrays& in, Array& out) override {
    runs++;
    if (in[0].is_donatable() && in[0].layout().row_contiguous) {
      donated++;
      out.copy_shared_buffer(in[0]);
    } else {
      out.set_data(allocator::malloc(out.nbytes()));
    }
    float* z = out.data<float>();
    for (int64_t i = 0; i < out.size(); i++) z[i] = alpha_ * at(in[0], i) + beta_ * at(in[1], i);
  }
  Arrays vjp(const Arrays&, const Arrays& g, const std::vector<int>& argnums,
             const Arrays&) override {
    Arrays back;
    for (int i : argnums) back.push_back(multiply(g[0], Array(i == 0 ? alpha_ : beta_), stream()));
    return back;
  }
  std::pair<Arrays, std::vector<int>> vmap(const Arrays& in, const std::vector<int>& axes) override;
  const char* name() const override { return "Axpby"; }
  bool is_equivalent(const Primitive& other) const override {
    const auto& o = static_cast<const Axpby&>(other);
    return alpha_ == o.alpha_ && beta_ == o.beta_;
  }
  std::vector<Shape> output_shapes(const Arrays& in) override { return {in[0].shape()}; }

  static inline std::atomic<int> runs{0}, donated{0};

 private:
  float alpha_, beta_;
};

Array axpby(const Array& x, const Array& y, float alpha, float beta) {
  Arrays in = broadcast_arrays({astype(x, float32), astype(y, float32)});
  return Array(in[0].shape(), float32, std::make_shared<Axpby>(to_stream({}), alpha, beta), in);
}

std::pair<Arrays, std::vector<int>> Axpby::vmap(const Arrays& in, const std::vector<int>& axes) {
  Arrays front;
  for (size_t i = 0; i < in.size(); i++) {
    front.push_back(axes[i] < 0 ? expand_dims(in[i], 0) : moveaxis(in[i], axes[i], 0));
  }
  return {{axpby(front[0], front[1], alpha_, beta_)}, {0}};
}

// The sum and the difference of two vectors; forward derivative only, no batching.
class SumAndDifference : public Primitive {
 public:
  using Primitive::Primitive;
  void eval_cpu(const Arrays& in, Arrays& out) override {
    for (Array& o : out) o.set_data(allocator::malloc(o.nbytes()));
    for (int64_t i = 0; i < in[0].size(); i++) {
      const float x = in[0].data<float>()[i], y = in[1].data<float>()[i];
      out[0].data<float>()[i] = x + y;
      out[1].data<float>()[i] = x - y;
    }
  }
  Arrays jvp(const Arrays& x, const Arrays& t, const std::vector<int>& argnums) override {
    Array zero = zeros_like(x[0]);
    Arrays all{zero, zero};
    for (size_t k = 0; k < argnums.size(); k++) all[static_cast<size_t>(argnums[k])] = t[k];
    return {add(all[0], all[1]), subtract(all[0], all[1])};
  }
  const char* name() const override { return "SumAndDifference"; }
};

Arrays sum_and_difference(const Array& x, const Array& y) {
  return Array::make_arrays({x.shape(), x.shape()}, {float32, float32},
                            std::make_shared<SumAndDifference>(to_stream({})), {x, y});
}

Array range(int n) { return arange(0, n, 1, float32); }

}  // namespace

TEST_CASE("own primitive: computes lazily, on any layout") {
  const int before = Axpby::runs;
  Array x = transpose(reshape(range(6), {2, 3})), y = broadcast_to(Array(10.0f), {3, 2});
  Array z = axpby(x, y, 2, 3);
  CHECK(Axpby::runs == before);
  CHECK(z.has_primitive());
  CHECK(std::string(z.primitive()->name()) == "Axpby");
  CHECK(z.inputs().size() == 2);
  CHECK(array_equal(z, add(multiply(x, Array(2.0f)), Array(30.0f))).item<bool>());
  CHECK(Axpby::runs == before + 1);
  CHECK_FALSE(z.has_primitive());
  CHECK(z.inputs().empty());
}

TEST_CASE("own primitive: between pointwise operations, which are fused around it") {
  Array x = range(5);
  Array z = exp(axpby(add(x, Array(1.0f)), multiply(x, x), 1, -1));
  CHECK(allclose(z, exp(subtract(add(x, Array(1.0f)), multiply(x, x)))).item<bool>());
}

TEST_CASE("own primitive: takes over the memory of an input that nobody else holds") {
  const int before = Axpby::donated;
  Array z = axpby(add(range(5), Array(1.0f)), range(5), 1, 1);
  z.eval();
  CHECK(Axpby::donated == before + 1);
  Array x = range(5);
  x.eval();
  axpby(x, range(5), 1, 1).eval();
  CHECK(Axpby::donated == before + 1);
  CHECK(array_equal(x, range(5)).item<bool>());
}

TEST_CASE("own primitive: derivatives, from its vjp alone") {
  auto f = [](const Arrays& a) { return Arrays{sum(square(axpby(a[0], a[1], 2, 3)))}; };
  Array x = range(3), y = add(range(3), Array(1.0f));
  Arrays g = grad(f, {0, 1})({x, y});
  Array z = add(multiply(x, Array(2.0f)), multiply(y, Array(3.0f)));
  CHECK(allclose(g[0], multiply(z, Array(4.0f))).item<bool>());
  CHECK(allclose(g[1], multiply(z, Array(6.0f))).item<bool>());
  Arrays t = jvp([](const Arrays& a) { return Arrays{axpby(a[0], a[1], 2, 3)}; }, {x, y},
                 {Array({1.0f, 0.0f, 1.0f}), Array({0.0f, 1.0f, 1.0f})})
                 .second;
  CHECK(allclose(t[0], Array({2.0f, 3.0f, 5.0f})).item<bool>());
  auto checkpointed = checkpoint(f);
  CHECK(allclose(grad(checkpointed, {0})({x, y})[0], g[0]).item<bool>());
  auto second = grad([&](const Arrays& a) { return Arrays{sum(grad(f, {0})(a)[0])}; }, {0});
  CHECK(allclose(second({x, y})[0], Array(8.0f)).item<bool>());
}

TEST_CASE("own primitive: several results, dead ones included") {
  Arrays both = sum_and_difference(range(3), Array({1.0f, 1.0f, 1.0f}));
  CHECK(both[0].outputs().size() == 2);
  CHECK(both[1].output_index() == 1);
  CHECK(both[0].outputs()[1].same_as(both[1]));
  Array difference = both[1];
  both.clear();
  CHECK(difference.outputs().size() == 2);
  CHECK(array_equal(difference, Array({-1.0f, 0.0f, 1.0f})).item<bool>());
  Arrays t = jvp([](const Arrays& a) { return sum_and_difference(a[0], a[0]); }, {range(2)},
                 {Array({1.0f, 2.0f})})
                 .second;
  CHECK(array_equal(t[0], Array({2.0f, 4.0f})).item<bool>());
  CHECK(array_equal(t[1], Array({0.0f, 0.0f})).item<bool>());
}

TEST_CASE("own primitive: batched") {
  auto f = [](const Arrays& a) { return Arrays{axpby(a[0], a[1], 2, 3)}; };
  Array x = reshape(range(6), {3, 2}), y = range(2);
  Array z = vmap(f, {0, no_batch_axis})({x, y})[0];
  CHECK(array_equal(z, axpby(x, y, 2, 3)).item<bool>());
  z = vmap(vmap(f, {0, 0}), {1, 1}, {1})({x, x})[0];
  CHECK(array_equal(z, multiply(x, Array(5.0f))).item<bool>());
}

TEST_CASE("own primitive: compiled, equal ones once, other sizes by output_shapes") {
  int traces = 0;
  auto f = [&](const Arrays& a) {
    traces++;
    return Arrays{add(axpby(a[0], a[1], 2, 3), axpby(a[0], a[1], 2, 3))};
  };
  for (bool shapeless : {false, true}) {
    traces = 0;
    Function g = compile(f, shapeless);
    for (int n : {3, 4, 3}) {
      const int before = Axpby::runs;
      CHECK(array_equal(g({range(n), range(n)})[0], multiply(range(n), Array(10.0f))).item<bool>());
      CHECK(Axpby::runs == before + 1);
    }
    CHECK(traces == (shapeless ? 1 : 2));
  }
  // Without output_shapes each size is traced; without is_equivalent each is computed.
  traces = 0;
  Function g = compile(
      [&](const Arrays& a) {
        traces++;
        return sum_and_difference(a[0], a[0]);
      },
      true);
  for (int n : {3, 4, 3}) CHECK(g({range(n)})[0].shape(0) == n);
  CHECK(traces == 2);
}

TEST_CASE("own primitive: what is missing is refused by name") {
  Array x = range(3);
  CHECK(what_throws([&] {
          grad([](const Arrays& a) {
            return Arrays{sum(runs({3}, a, [](const Arrays&, Array&) {}))};
          })({x});
        }).find("Runs") != std::string::npos);
  CHECK(
      what_throws([&] {
        vmap([](const Arrays& a) { return sum_and_difference(a[0], a[0]); })({reshape(x, {3, 1})});
      }).find("SumAndDifference") != std::string::npos);
  CHECK(what_throws([&] {
          export_function([](const ExportRecord&) {},
                          [](const Arrays& a, const NamedArguments&) {
                            return Arrays{axpby(a[0], a[0], 1, 1)};
                          },
                          {x});
        }).find("Axpby") != std::string::npos);
  CHECK_THROWS_AS(Array({2}, float32, nullptr, {x}), std::invalid_argument);
  CHECK_THROWS_AS(Array::make_arrays({}, {}, std::make_shared<SumAndDifference>(to_stream({})), {}),
                  std::invalid_argument);
  CHECK_THROWS_AS(
      Array::make_arrays({{3}}, {float32}, std::make_shared<SumAndDifference>(to_stream({})), {{}}),
      std::invalid_argument);
}

TEST_CASE("own primitive: memory that does not hold the result is an error, not a crash") {
  Array x = range(3);
  auto fails = [&](Runs::Code code) {
    CHECK_THROWS_AS(runs({3}, {x}, code).eval(), std::exception);
  };
  fails([](const Arrays&, Array&) {});
  fails([](const Arrays&, Array& out) { out.set_data(allocator::malloc(8)); });
  fails([](const Arrays&, Array& out) { out.set_data(allocator::malloc(12), {2}); });
  fails([](const Arrays&, Array& out) { out.set_data(allocator::malloc(12), {-1}); });
  fails([](const Arrays&, Array& out) { out.set_data(allocator::malloc(12), {1, 1}); });
  fails([](const Arrays&, Array& out) { out.set_data(allocator::malloc(12), {INT64_MAX / 2}); });
  fails([](const Arrays& in, Array& out) { out.copy_shared_buffer(in[0], {1}, 1); });
  // Strides of its own: backwards, and a view of the input.
  Array back =
      runs({3}, {x}, [](const Arrays& in, Array& out) { out.copy_shared_buffer(in[0], {-1}, 2); });
  CHECK(array_equal(back, Array({2.0f, 1.0f, 0.0f})).item<bool>());
}

TEST_CASE("own primitive: exceptions come out as they are, and the graph can be tried again") {
  struct Odd {};
  bool fail = true;
  Array z = runs({3}, {range(3)}, [&](const Arrays& in, Array& out) {
    out.set_data(allocator::malloc(out.nbytes()));
    if (fail) throw Odd{};
    for (int i = 0; i < 3; i++) out.data<float>()[i] = in[0].data<float>()[i];
  });
  Array w = add(z, Array(1.0f));
  CHECK_THROWS_AS(w.eval(), Odd);
  CHECK_THROWS_AS(z.eval(), Odd);
  fail = false;
  CHECK(array_equal(w, add(range(3), Array(1.0f))).item<bool>());
}

TEST_CASE("own primitive: may evaluate arrays, but not its own result") {
  Array other = exp(range(3));  // wanted by the outer evaluation as well
  Array z = runs({3}, {range(3)}, [&](const Arrays& in, Array& out) {
    other.eval();
    Array y = add(in[0], Array(1.0f));
    y.eval();
    out.copy_shared_buffer(y);
  });
  Array together = add(multiply(z, Array(2.0f)), other);
  CHECK(allclose(together, add(multiply(add(range(3), Array(1.0f)), Array(2.0f)), exp(range(3))))
            .item<bool>());

  Array self;
  self = runs({3}, {range(3)}, [&](const Arrays&, Array&) { add(self, Array(1.0f)).eval(); });
  CHECK(what_throws([&] { self.eval(); }).find("Runs") != std::string::npos);
  self = runs({3}, {range(3)}, [&](const Arrays& in, Array&) {
    grad([&](const Arrays& a) { return Arrays{sum(multiply(a[0], self))}; })({in[0]});
  });
  CHECK(what_throws([&] { self.eval(); }).find("Runs") != std::string::npos);
}

TEST_CASE("own primitive: in the background and on several threads") {
  Array z = axpby(range(1000), range(1000), 2, 3);
  async_eval(z);
  synchronize();
  CHECK(z.is_available());
  struct Odd : std::logic_error {
    using std::logic_error::logic_error;
  };
  Array bad = runs({3}, {range(3)}, [](const Arrays&, Array&) { throw Odd("odd"); });
  async_eval(bad);
  CHECK_THROWS_AS(synchronize(), Odd);

  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&right, t] {
      for (int i = 0; i < 50; i++) {
        Arrays g = grad([](const Arrays& a) { return Arrays{sum(axpby(a[0], a[0], 2, 3))}; })(
            {add(range(16), Array(static_cast<float>(t + i)))});
        right += allclose(g[0], Array(5.0f)).item<bool>();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(right == 200);
}

TEST_CASE("own primitive: memory of others is given back once") {
  std::vector<float> memory{1, 2, 3};
  int given_back = 0;
  {
    allocator::Data data(allocator::make_buffer(memory.data(), 12), [&](allocator::Buffer b) {
      given_back++;
      allocator::release(b);
    });
    Array a(std::move(data), {3}, float32);
    CHECK(array_equal(a, Array({1.0f, 2.0f, 3.0f})).item<bool>());
    CHECK_FALSE(a.is_donatable());
    CHECK_THROWS_AS(Array(allocator::malloc(4), {3}, float32), std::invalid_argument);
  }
  CHECK(given_back == 1);
}

TEST_CASE("layout and extent of arrays") {
  Array x = reshape(range(6), {2, 3});
  x.eval();
  CHECK((x.layout().contiguous && x.layout().row_contiguous && !x.layout().col_contiguous));
  CHECK(x.data_size() == 6);
  Array t = transpose(x);
  t.eval();
  CHECK((t.layout().contiguous && !t.layout().row_contiguous && t.layout().col_contiguous));
  Array b = broadcast_to(range(3), {2, 3});
  b.eval();
  CHECK(b.data_size() == 3);
  Array s = slice(x, {0, 1}, {2, 2});
  s.eval();
  CHECK(s.offset() == 4);
  CHECK(s.data_size() == 4);
  CHECK_FALSE(s.layout().contiguous);
  CHECK_THROWS_AS(exp(x).layout(), std::invalid_argument);
  CHECK_THROWS_AS(exp(x).detach(), std::invalid_argument);
}

TEST_CASE("primitives of MLX's are made of lists of either kind") {
  const Array x = arange(0.0, 6.0, 1.0, float32);
  const std::vector<int64_t> sizes{2, 2}, strides{1, 3}, axes{0};
  for (const bool as_shapes : {true, false}) {
    auto value = [&](const std::vector<int64_t>& list) -> AttributeValue {
      if (as_shapes) return Shape(list.begin(), list.end());
      return list;
    };
    const auto windows = BuiltInPrimitive::make(
        "AsStrided", {value(sizes), value(strides), int64_t{1}}, to_stream({}));
    CHECK(array_equal(windows->results({x}, {})[0], Array({1.0f, 4.0f, 2.0f, 5.0f}, Shape{2, 2}))
              .item<bool>());
    const auto total = BuiltInPrimitive::make("Reduce", {int64_t{2}, value(axes)}, to_stream({}));
    CHECK(total->results({x}, {})[0].item<float>() == 15.0f);
  }
  for (const std::vector<AttributeValue>& wrong :
       {std::vector<AttributeValue>{int64_t{6}, axes},
        {int64_t{-1}, axes},
        {true, axes},
        {int64_t{2}, std::vector<int64_t>{int64_t{1} << 40}},
        {int64_t{2}}}) {
    CHECK(what_throws([&] { BuiltInPrimitive::make("Reduce", wrong, to_stream({})); }) ==
          "[Reduce] Its attributes are (reduction, axes); those given do not fit.");
  }
}
