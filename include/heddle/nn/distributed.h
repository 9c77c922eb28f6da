// Layers whose parameters are divided among the processes of a group (see heddle/distributed.h),
// which in this build is one process that holds everything. A number of features that does not
// divide by the size of the group throws std::invalid_argument.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/distributed.h"
#include "heddle/nn/layers.h"

namespace heddle::nn {

using distributed::Group;

// The identity, whose gradient is summed over the group.
Array sum_gradients(const Array& x, const Group& group);

// How parameters are divided: by output features, or by input features (the bias is added after the
// parts).
enum class Sharding { all_to_sharded, sharded_to_all };

// Segments that are divided one by one, as in a fused projection: so many equal ones, or where they
// end, as parts of the whole.
using Segments = std::variant<int, std::vector<double>>;

// Leaves in a module only this process's part of its parameters; communication is its own affair.
// The second form asks for axis and segments of each parameter; none leaves it whole.
using ShardingChoice = std::function<std::optional<std::pair<int, Segments>>(
    const std::string& path, const Array& weight)>;
void shard_inplace(Module& module, Sharding sharding, const Segments& segments = 1,
                   const Group& group = distributed::init());
void shard_inplace(Module& module, const ShardingChoice& choose,
                   const Group& group = distributed::init());

// Every process computes some of the output features. Made new with output_dims of all together, or
// as a part of a whole layer, quantized or not.
class AllToShardedLinear : public Linear {
 public:
  AllToShardedLinear(int64_t input_dims, int64_t output_dims, bool bias = true,
                     const Group& group = distributed::init());
  explicit AllToShardedLinear(const Linear& whole, const Segments& segments = 1,
                              const Group& group = distributed::init());
  Array operator()(const Array& x) override;

 private:
  Group group_;
};

// The input features are divided; every process gets the whole result.
class ShardedToAllLinear : public Linear {
 public:
  ShardedToAllLinear(int64_t input_dims, int64_t output_dims, bool bias = true,
                     const Group& group = distributed::init());
  explicit ShardedToAllLinear(const Linear& whole, const Segments& segments = 1,
                              const Group& group = distributed::init());
  Array operator()(const Array& x) override;

 private:
  Group group_;
};

// The same with weights that are quantized from the start; all parameters stay frozen.
class QuantizedAllToShardedLinear : public AllToShardedLinear {
 public:
  QuantizedAllToShardedLinear(int64_t input_dims, int64_t output_dims, bool bias = true,
                              const Quantization& format = {},
                              const Group& group = distributed::init());
  // Of a quantized layer; another throws std::invalid_argument.
  explicit QuantizedAllToShardedLinear(const Linear& whole, const Segments& segments = 1,
                                       const Group& group = distributed::init());

 protected:
  void unfrozen() override { freeze({}, false); }
};
class QuantizedShardedToAllLinear : public ShardedToAllLinear {
 public:
  QuantizedShardedToAllLinear(int64_t input_dims, int64_t output_dims, bool bias = true,
                              const Quantization& format = {},
                              const Group& group = distributed::init());
  explicit QuantizedShardedToAllLinear(const Linear& whole, const Segments& segments = 1,
                                       const Group& group = distributed::init());

 protected:
  void unfrozen() override { freeze({}, false); }
};

// This process's part of a whole linear layer, which stays as it is: one of the four above.
std::shared_ptr<Linear> shard_linear(const Linear& whole, Sharding sharding,
                                     const Segments& segments = 1,
                                     const Group& group = distributed::init());

// A layer of whose parameters every process holds, updates and saves a part, along the first axis.
// They are gathered for a call (and cast to `compute_dtype`, if floating), their gradients averaged
// over the group and divided again. Parameters that are scalars or do not divide throw
// std::invalid_argument.
class FullyShardedModule : public Layer {
 public:
  explicit FullyShardedModule(std::shared_ptr<Layer> module,
                              const Group& group = distributed::init(),
                              std::optional<Dtype> compute_dtype = {});
  Array operator()(const Array& x) override;
  void members(Members& m) override { m("module", *module_); }

 private:
  std::shared_ptr<Layer> module_;
  Group group_;
  std::optional<Dtype> compute_dtype_;
};
// The layer as a FullyShardedModule, or itself where there is nothing to divide.
std::shared_ptr<Layer> fully_shard(std::shared_ptr<Layer> module,
                                   const Group& group = distributed::init(),
                                   std::optional<Dtype> compute_dtype = {});

// The average of the gradients of all processes.
Parameters average_gradients(const Parameters& gradients, const Group& group = distributed::init());

// Gradients that are divided among processes, scaled down where their norm, taken over all of them,
// exceeds a limit; and that norm.
std::pair<Parameters, Array> clip_grad_norm_sharded(const Parameters& gradients, double max_norm,
                                                    const Group& group = distributed::init());

}  // namespace heddle::nn
