// An operation that is no composition of others: isotonic regression, as a primitive in the style
// of MLX's extensions. isotonic.py beside it explains it.
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/mlx.h"
#include "mlx/primitives.h"

namespace mx = mlx::core;

template <class P>
mx::array by_rows(const std::vector<mx::array>& inputs) {
  return mx::array(inputs[0].shape(), mx::float32, std::make_shared<P>(mx::to_stream({})), inputs);
}

// Something that P::row does to each row, along the last axis, of float32 inputs.
template <class P>
class Rows : public mx::UnaryPrimitive {
 public:
  using mx::UnaryPrimitive::UnaryPrimitive;

  void eval_cpu(const std::vector<mx::array>& inputs, mx::array& out) override {
    out.set_data(mx::allocator::malloc(out.nbytes()));
    auto& encoder = mx::cpu::get_command_encoder(stream());
    std::vector<const float*> from;
    for (const mx::array& x : inputs) {
      encoder.set_input_array(x);
      from.push_back(x.data<float>());
    }
    encoder.set_output_array(out);
    encoder.dispatch([from, to = out.data<float>(), n = out.shape(-1), count = out.size()] {
      std::vector<const float*> row = from;
      for (size_t done = 0; done < count; done += static_cast<size_t>(n)) {
        P::row(row, to + done, n);
        for (const float*& x : row) x += n;
      }
    });
  }
  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::runtime_error("There is no GPU.");
  }
  std::pair<std::vector<mx::array>, std::vector<int>> vmap(const std::vector<mx::array>& inputs,
                                                           const std::vector<int>& axes) override {
    std::vector<mx::array> rows;
    for (size_t i = 0; i < inputs.size(); i++) {
      rows.push_back(axes[i] < 0 ? mx::expand_dims(inputs[i], 0)
                                 : mx::moveaxis(inputs[i], axes[i], 0));
    }
    return {{by_rows<P>(mx::broadcast_arrays(rows))}, {0}};
  }
  std::vector<mx::Shape> output_shapes(const std::vector<mx::array>& inputs) override {
    return {inputs[0].shape()};
  }
  bool is_equivalent(const mx::Primitive&) const override { return true; }
};

// The mean of g over each run of equal values of y: linear in g, and its own transpose.
class BlockMeans : public Rows<BlockMeans> {
 public:
  using Rows::Rows;
  static void row(const std::vector<const float*>& in, float* out, int n) {
    const float *y = in[0], *g = in[1];
    for (int first = 0, last = 0; first < n; first = last) {
      float sum = 0;
      for (last = first; last < n && y[last] == y[first]; last++) sum += g[last];
      for (int i = first; i < last; i++) out[i] = sum / static_cast<float>(last - first);
    }
  }
  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    std::vector<mx::array> back;
    for (int i : argnums) {
      back.push_back(i == 0 ? mx::zeros_like(primals[0])
                            : by_rows<BlockMeans>({primals[0], cotangents[0]}));
    }
    return back;
  }
  const char* name() const override { return "BlockMeans"; }
};

// The rising sequence that is nearest to x.
class Isotonic : public Rows<Isotonic> {
 public:
  using Rows::Rows;
  static void row(const std::vector<const float*>& in, float* out, int n) {
    struct Block {
      double mean;
      int length;
    };
    std::vector<Block> blocks;
    for (int i = 0; i < n; i++) {
      Block block{in[0][i], 1};
      while (!blocks.empty() && blocks.back().mean >= block.mean) {
        const Block before = blocks.back();
        blocks.pop_back();
        const int length = block.length + before.length;
        block = {(block.mean * block.length + before.mean * before.length) / length, length};
      }
      blocks.push_back(block);
    }
    for (const Block& block : blocks) {
      for (int i = 0; i < block.length; i++) *out++ = static_cast<float>(block.mean);
    }
  }
  std::vector<mx::array> vjp(const std::vector<mx::array>&,
                             const std::vector<mx::array>& cotangents, const std::vector<int>&,
                             const std::vector<mx::array>& outputs) override {
    return {by_rows<BlockMeans>({outputs[0], cotangents[0]})};
  }
  const char* name() const override { return "Isotonic"; }
};

mx::array isotonic(const mx::array& x) { return by_rows<Isotonic>({x}); }

int main() {
  mx::array x({3.0f, 1.0f, 2.0f, 5.0f, 4.0f});
  std::cout << isotonic(x) << "\n";
  auto loss = [](const mx::array& a) { return mx::sum(mx::square(isotonic(a))); };
  mx::array slope = mx::grad(loss)(x);
  mx::eval(slope);
  std::cout << slope << "\n";
  std::cout << mx::vmap(isotonic)(mx::stack({x, -x})) << "\n";
  std::cout << isotonic(x).primitive().name() << "\n";

  mx::array step({0.0f, 0.01f, 0.0f, 0.0f, 0.0f});
  const float around = (loss(x + step) - loss(x - step)).item<float>() / 0.02f;
  const float right = slope.data<float>()[1];
  std::cout << "by differences: " << around << "\n";
  return std::abs(around - right) < 0.05f ? EXIT_SUCCESS : EXIT_FAILURE;
}
