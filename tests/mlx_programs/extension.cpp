// MLX extended in its documented way: primitives of the program's own, in every transformation.
#include <cmath>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mlx/allocator.h"
#include "mlx/backend/common/binary.h"
#include "mlx/backend/common/unary.h"
#include "mlx/backend/common/utils.h"
#include "mlx/backend/cpu/copy.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/distributed/distributed.h"
#include "mlx/distributed/ops.h"
#include "mlx/mlx.h"
#include "mlx/primitives.h"
#include "mlx/scheduler.h"

namespace mx = mlx::core;

namespace my_ext {

mx::array axpby(const mx::array& x, const mx::array& y, float alpha, float beta,
                mx::StreamOrDevice s = {});

int runs = 0;

class Axpby : public mx::Primitive {
 public:
  explicit Axpby(mx::Stream stream, float alpha, float beta)
      : mx::Primitive(stream), alpha_(alpha), beta_(beta) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override;
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::runtime_error("Axpby has no GPU implementation.");
  }

  std::vector<mx::array> jvp(const std::vector<mx::array>&, const std::vector<mx::array>& tangents,
                             const std::vector<int>& argnums) override {
    if (argnums.size() > 1) return {axpby(tangents[0], tangents[1], alpha_, beta_, stream())};
    auto scale = mx::array(argnums[0] == 0 ? alpha_ : beta_, tangents[0].dtype());
    return {mx::multiply(scale, tangents[0], stream())};
  }
  std::vector<mx::array> vjp(const std::vector<mx::array>&,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    std::vector<mx::array> back;
    for (auto arg : argnums) {
      auto scale = mx::array(arg == 0 ? alpha_ : beta_, cotangents[0].dtype());
      back.push_back(mx::multiply(scale, cotangents[0], stream()));
    }
    return back;
  }
  std::pair<std::vector<mx::array>, std::vector<int>> vmap(const std::vector<mx::array>& inputs,
                                                           const std::vector<int>& axes) override {
    std::vector<mx::array> in;
    for (size_t i = 0; i < inputs.size(); i++) {
      in.push_back(axes[i] < 0 ? mx::expand_dims(inputs[i], 0)
                               : mx::moveaxis(inputs[i], axes[i], 0));
    }
    return {{axpby(in[0], in[1], alpha_, beta_, stream())}, {0}};
  }

  const char* name() const override { return "Axpby"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    const Axpby& o = static_cast<const Axpby&>(other);
    return alpha_ == o.alpha_ && beta_ == o.beta_;
  }
  std::vector<mx::Shape> output_shapes(const std::vector<mx::array>& inputs) override {
    return {inputs[0].shape()};
  }
  float alpha() const { return alpha_; }

 private:
  float alpha_;
  float beta_;
};

mx::array axpby(const mx::array& x, const mx::array& y, float alpha, float beta,
                mx::StreamOrDevice s) {
  auto promoted = mx::promote_types(x.dtype(), y.dtype());
  auto out_dtype =
      mx::issubdtype(promoted, mx::floating) ? promoted : mx::promote_types(promoted, mx::float32);
  auto inputs = mx::broadcast_arrays({mx::astype(x, out_dtype, s), mx::astype(y, out_dtype, s)}, s);
  auto out_shape = inputs[0].shape();
  return mx::array(
      /* shape = */ out_shape,
      /* dtype = */ out_dtype,
      /* primitive = */ std::make_shared<Axpby>(mx::to_stream(s), alpha, beta),
      /* inputs = */ inputs);
}

template <typename T>
void axpby_impl(const mx::array& x, const mx::array& y, mx::array& out, float alpha_, float beta_,
                mx::Stream stream) {
  out.set_data(mx::allocator::malloc(out.nbytes()));
  auto& encoder = mx::cpu::get_command_encoder(stream);
  encoder.set_input_array(x);
  encoder.set_input_array(y);
  encoder.set_output_array(out);
  encoder.dispatch([x_ptr = x.data<T>(), y_ptr = y.data<T>(), out_ptr = out.data<T>(),
                    size = out.size(), shape = out.shape(), x_strides = x.strides(),
                    y_strides = y.strides(), alpha_, beta_]() {
    T alpha = static_cast<T>(alpha_);
    T beta = static_cast<T>(beta_);
    for (size_t i = 0; i < size; i++) {
      auto x_offset = mx::elem_to_loc(i, shape, x_strides);
      auto y_offset = mx::elem_to_loc(i, shape, y_strides);
      out_ptr[i] = alpha * x_ptr[x_offset] + beta * y_ptr[y_offset];
    }
  });
}

void Axpby::eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) {
  runs++;
  auto& x = inputs[0];
  auto& y = inputs[1];
  auto& out = outputs[0];
  if (out.dtype() == mx::float32) {
    return axpby_impl<float>(x, y, out, alpha_, beta_, stream());
  } else if (out.dtype() == mx::float16) {
    return axpby_impl<mx::float16_t>(x, y, out, alpha_, beta_, stream());
  } else if (out.dtype() == mx::bfloat16) {
    return axpby_impl<mx::bfloat16_t>(x, y, out, alpha_, beta_, stream());
  } else if (out.dtype() == mx::complex64) {
    return axpby_impl<mx::complex64_t>(x, y, out, alpha_, beta_, stream());
  }
  throw std::runtime_error("Axpby is only supported for floating point types.");
}

// By MLX's helpers for elementwise operations, with unsafe_weak_copy.
class Cube : public mx::UnaryPrimitive {
 public:
  using mx::UnaryPrimitive::UnaryPrimitive;
  using Primitive = mx::Primitive;  // what MLX's macros name
  using array = mx::array;
  using Shape = mx::Shape;

  void eval_cpu(const std::vector<mx::array>& inputs, mx::array& out) override {
    const auto& in = inputs[0];
    mx::set_unary_output_data(in, out);
    auto& encoder = mx::cpu::get_command_encoder(stream());
    encoder.set_input_array(in);
    encoder.set_output_array(out);
    encoder.dispatch(
        [in = mx::array::unsafe_weak_copy(in), out = mx::array::unsafe_weak_copy(out)]() mutable {
          const float* from = in.data<float>();
          float* to = out.data<float>();
          if (in.flags().contiguous) {
            for (size_t i = 0; i < in.data_size(); i++) to[i] = from[i] * from[i] * from[i];
          } else {
            for (size_t i = 0; i < in.size(); i++) {
              float x = from[mx::elem_to_loc(i, in)];
              to[i] = x * x * x;
            }
          }
        });
  }
  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::runtime_error("no GPU");
  }
  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents, const std::vector<int>&,
                             const std::vector<mx::array>&) override {
    return {cotangents[0] * 3.0f * mx::square(primals[0])};
  }
  DEFINE_NAME(Cube)
  DEFINE_DEFAULT_IS_EQUIVALENT()
  DEFINE_INPUT_OUTPUT_SHAPE()
};

mx::array cube(const mx::array& x, mx::StreamOrDevice s = {}) {
  return mx::array(x.shape(), x.dtype(), std::make_shared<Cube>(mx::to_stream(s)), {x});
}

// Several results of several dtypes; a temporary and a copy on the way.
class MinMax : public mx::Primitive {
 public:
  explicit MinMax(mx::Stream stream) : mx::Primitive(stream) {}
  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    mx::array dense(inputs[0].shape(), inputs[0].dtype(), nullptr, {});
    dense.set_data(mx::allocator::malloc(dense.nbytes()));
    for (size_t i = 0; i < dense.size(); i++) {
      dense.data<float>()[i] = inputs[0].data<float>()[mx::elem_to_loc(i, inputs[0])];
    }
    auto& encoder = mx::cpu::get_command_encoder(stream());
    encoder.add_temporary(dense);
    for (auto& o : outputs) o.set_data(mx::allocator::malloc(o.nbytes()));
    encoder.dispatch([x = dense.data<float>(), n = dense.size(), least = outputs[0].data<float>(),
                      where = outputs[1].data<uint32_t>()]() {
      *least = x[0];
      *where = 0;
      for (size_t i = 1; i < n; i++) {
        if (x[i] < *least) {
          *least = x[i];
          *where = static_cast<uint32_t>(i);
        }
      }
    });
  }
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {}
  const char* name() const override { return "MinMax"; }
};

std::vector<mx::array> least(const mx::array& x) {
  return mx::array::make_arrays({{}, {}}, {x.dtype(), mx::uint32},
                                std::make_shared<MinMax>(mx::to_stream({})), {x});
}

class Fails : public mx::UnaryPrimitive {
 public:
  using mx::UnaryPrimitive::UnaryPrimitive;
  void eval_cpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::runtime_error("it fails");
  }
  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {}
  const char* name() const override { return "Fails"; }
};

}  // namespace my_ext

template <class T>
void show(const std::string& label, const T& value) {
  std::ostringstream text;
  text << value;
  std::string line = text.str();
  for (char& c : line) {
    if (c == '\n' || c == ',' || c == '[' || c == ']' || c == '(' || c == ')') c = ' ';
  }
  std::cout << label << ": " << line << "\n";
}

template <class F>
std::string thrown(F f) {
  try {
    f();
  } catch (const std::exception&) {
    return "throws";
  }
  return "does not throw";
}

int main() {
  using my_ext::axpby;
  using my_ext::cube;
  auto x = mx::reshape(mx::arange(0.0f, 6.0f, 1.0f), {2, 3});
  auto y = mx::full({2, 3}, 0.5f);

  show("eager", axpby(x, y, 4.0f, 2.0f));
  show("broadcast", axpby(x, mx::array({1.0f, 2.0f, 3.0f}), 1.0f, 10.0f));
  show("strided",
       axpby(mx::transpose(x), mx::slice(mx::reshape(x, {6}), {0}, {6}, {3}), 1.0f, 1.0f));
  show("integers", axpby(mx::array({1, 2}), mx::array({3, 4}), 1.0f, 1.0f));
  for (auto t : {mx::float16, mx::bfloat16, mx::complex64}) {
    show("dtype", axpby(mx::astype(x, t), mx::astype(y, t), 2.0f, 1.0f));
  }
  show("fused around", mx::exp(axpby(mx::sin(x), mx::cos(y), 1.0f, 2.0f)) * 2.0f);
  show("cube", cube(x));
  show("cube of a view", cube(mx::slice(x, {0, 1}, {2, 3})));
  show("cube of columns", cube(mx::transpose(x)));
  show("cube of a temporary", cube(x + 1.0f));

  auto pair = my_ext::least(mx::transpose(mx::array({3.0f, 1.0f, 2.0f, 4.0f}, {2, 2})));
  show("several", pair[0]);
  show("several, second", pair[1]);

  // The graph.
  auto z = axpby(x, y, 4.0f, 2.0f);
  show("name", z.primitive().name());
  show("class", dynamic_cast<my_ext::Axpby&>(z.primitive()).alpha());
  show("has", z.has_primitive());
  show("inputs", z.inputs().size());
  show("device", z.primitive().device() == mx::Device::cpu);
  show("stream", z.primitive().stream() == mx::default_stream(mx::Device::cpu));
  show("status", z.status() == mx::array::Status::unscheduled);
  show("tracer", z.is_tracer());
  mx::eval(z);
  show("available", z.is_available());
  show("has after", z.has_primitive());
  show("inputs after", z.inputs().size());
  show("flags", z.flags().row_contiguous);
  show("data size", z.data_size());
  auto again = my_ext::least(x);
  show("siblings", again[0].siblings().size());
  show("sibling", again[0].siblings()[0].id() == again[1].id());
  show("position", again[1].sibling_position());
  show("outputs", again[1].outputs()[0].id() == again[0].id());
  show("ids", again[0].primitive_id() == again[1].primitive_id());

  // Transformations.
  auto f = [](const std::vector<mx::array>& a) {
    return mx::sum(mx::square(axpby(a[0], a[1], 2.0f, 3.0f)));
  };
  auto grads = mx::grad(f, std::vector<int>{0, 1})({x, y});
  show("grad", grads[0]);
  show("grad, second", grads[1]);
  auto pullback = mx::vjp(
      [](const std::vector<mx::array>& a) {
        return std::vector<mx::array>{axpby(a[0], a[1], 2.0f, 3.0f)};
      },
      {x, y}, {mx::ones({2, 3})});
  show("vjp", pullback.second[1]);
  auto push = mx::jvp(
      [](const std::vector<mx::array>& a) {
        return std::vector<mx::array>{axpby(a[0], a[1], 2.0f, 3.0f)};
      },
      {x, y}, {mx::ones({2, 3}), x});
  show("jvp", push.second[0]);
  show("second derivative", mx::grad([](const mx::array& a) {
         return mx::sum(mx::grad([](const mx::array& b) { return mx::sum(cube(b)); })(a));
       })(x));
  show("vmap", mx::vmap([](const mx::array& a, const mx::array& b) {
         return axpby(a, b, 2.0f, 3.0f);
       })(x, y));
  show("vmap, one mapped",
       mx::vmap([](const mx::array& a, const mx::array& b) { return axpby(a, b, 2.0f, 3.0f); }, 1,
                -1)(x, mx::array({1.0f, 2.0f})));
  auto remembered = mx::checkpoint([](const std::vector<mx::array>& a) {
    return std::vector<mx::array>{axpby(mx::sin(a[0]), a[1], 2.0f, 3.0f)};
  });
  show("checkpoint", mx::grad([&](const std::vector<mx::array>& a) {
         return mx::sum(remembered(a)[0]);
       })({x, y})[0]);

  for (bool shapeless : {false, true}) {
    auto g = mx::compile(
        [](const std::vector<mx::array>& a) {
          return std::vector<mx::array>{axpby(a[0], a[1], 2.0f, 3.0f) +
                                        axpby(a[0], a[1], 2.0f, 3.0f) * 10.0f};
        },
        shapeless);
    for (int n : {3, 5}) {
      my_ext::runs = 0;
      auto a = mx::arange(0.0f, float(n), 1.0f);
      auto out = g({a, a})[0];
      show("compiled", out);
      show("compiled, merged", my_ext::runs);
    }
  }

  // In the background, on other threads, with errors.
  auto later = cube(axpby(x, y, 1.0f, 1.0f));
  mx::async_eval(later);
  later.wait();
  show("later", later.is_available());
  show("async", later);
  auto failing = mx::array(
      {2}, mx::float32, std::make_shared<my_ext::Fails>(mx::default_stream(mx::Device::cpu)), {});
  show("failing", thrown([&] {
         mx::eval(failing);
         mx::synchronize();
       }));
  std::vector<std::thread> threads;
  std::vector<float> sums(4, 0.0f);
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&sums, t] {
      auto s = mx::new_stream(mx::Device::cpu);
      auto a = mx::full({64}, float(t), s);
      sums[t] = mx::sum(axpby(a, a, 2.0f, 3.0f, s), s).item<float>();
    });
  }
  for (auto& t : threads) t.join();
  for (float s : sums) show("thread", s);

  // MLX's own primitives.
  show("built-in", (x + y).primitive().name());
  show("built-in, cases", mx::sum(x, true).primitive().name());
  show("built-in, cases", mx::cumsum(x, 0).primitive().name());
  show("built-in class", dynamic_cast<mx::Add*>(&(x + y).primitive()) != nullptr);
  show("another class", dynamic_cast<mx::Exp*>(&(x + y).primitive()) != nullptr);
  auto reduced = mx::max(x, {1}, true);
  auto& reduce = dynamic_cast<mx::Reduce&>(reduced.primitive());
  show("state", reduce.state().first == mx::Reduce::Max);
  show("state, axes", reduce.state().second[0]);
  auto made = mx::array({2, 3}, mx::float32,
                        std::make_shared<mx::Add>(mx::default_stream(mx::Device::cpu)), {x, y});
  show("made", made);
#ifdef ON_HEDDLE  // MLX's library keeps these to itself
  auto reshaped = mx::array(
      {3, 2}, mx::float32,
      std::make_shared<mx::Reshape>(mx::default_stream(mx::Device::cpu), mx::Shape{3, 2}), {x});
  show("made with state", reshaped);
  mx::array dense(mx::Shape{3, 2}, mx::float32, nullptr, {});
  auto turned = mx::transpose(x);
  mx::eval(turned);
  mx::copy_cpu(turned, dense, mx::CopyType::General, mx::default_stream(mx::Device::cpu));
  show("copied", dense);
#endif

  // Memory.
  auto memory = mx::allocator::malloc(12);
  auto* numbers = static_cast<float*>(memory.buffer().raw_ptr());
  for (int i = 0; i < 3; i++) numbers[i] = float(i);
  show("from memory", mx::array(std::move(memory), {3}, mx::float32));
  int ran = 0;
  mx::scheduler::enqueue(mx::default_stream(mx::Device::cpu), [&] { ran++; });
  mx::synchronize();
  show("enqueued", ran);
  show("distributed", mx::distributed::init().size());
  show("distributed sum", mx::distributed::all_sum(x));
  show("distributed gather", mx::distributed::all_gather(x));
  show("distributed max", mx::distributed::all_max(x, mx::distributed::init()));
  show("distributed min", mx::distributed::all_min(x));
  show("distributed scatter", mx::distributed::sum_scatter(x));
  show("send", thrown([&] { mx::distributed::send(x, 0); }));
  show("recv", thrown([&] { mx::distributed::recv({2}, mx::float32, 0); }));
  show("recv like", thrown([&] { mx::distributed::recv_like(x, 0); }));
}
