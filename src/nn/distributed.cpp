#include "heddle/nn/distributed.h"

#include <fmt/format.h>

#include <cmath>

#include "heddle/ops/arithmetic.h"
#include "heddle/ops/creation.h"
#include "heddle/ops/quantized.h"
#include "heddle/ops/reduce.h"
#include "heddle/ops/shape.h"
#include "nn/clip.h"
#include "nn/scalar.h"
#include "nn/shown.h"

namespace heddle::nn {
namespace {

int64_t part_of(const char* what, int64_t dims, const Group& group) {
  if (dims % group.size() != 0) {
    throw std::invalid_argument(fmt::format(
        "The {} of size {} cannot be sharded across {} devices.", what, dims, group.size()));
  }
  return dims / group.size();
}

Arrays segments_of(const Array& weight, const Segments& segments, int axis) {
  if (const int* count = std::get_if<int>(&segments)) return split(weight, *count, axis);
  Shape ends;
  const auto length = static_cast<double>(weight.shape(axis));
  for (double part : std::get<std::vector<double>>(segments)) {
    ends.push_back(static_cast<int64_t>(part * length));
  }
  return split(weight, ends, axis);
}

Array part_of_weight(const Array& weight, int axis, const Segments& segments, const Group& group) {
  Arrays parts;
  for (const Array& segment : segments_of(weight, segments, axis)) {
    parts.push_back(split(segment, group.size(), axis)[static_cast<size_t>(group.rank())]);
  }
  return contiguous(concatenate(parts, axis));
}

bool is_bias(const std::string& path) { return path.ends_with("bias"); }

void require_quantized(const Linear& layer) {
  if (layer.quantized()) return;
  throw std::invalid_argument("The layer to take a part of is not quantized.");
}

// The whole parameters from their parts; gradients are averaged and divided again.
Arrays gathered(const Arrays& parts, const Group& group, const std::optional<Dtype>& dtype) {
  CustomRules rules;
  rules.vjp = [group](const Arrays& primals, const Arrays& cotangents, const Arrays&) {
    Arrays out;
    for (size_t i = 0; i < primals.size(); i++) {
      Array sum = distributed::sum_scatter(astype(cotangents[i], primals[i].dtype()), group);
      out.push_back(sum / scalar(group.size(), sum));
    }
    return out;
  };
  auto gather = [group, dtype](const Arrays& in) {
    Arrays out;
    for (const Array& part : in) {
      Array whole = distributed::all_gather(part, group);
      out.push_back(dtype && is_floating(whole.dtype()) ? astype(whole, *dtype) : whole);
    }
    return out;
  };
  return custom_function(gather, rules)(parts);
}

}  // namespace

Array sum_gradients(const Array& x, const Group& group) {
  if (group.size() == 1) return x;
  CustomRules rules;
  rules.vjp = [group](const Arrays&, const Arrays& cotangents, const Arrays&) {
    return Arrays{distributed::all_sum(cotangents[0], group)};
  };
  return custom_function([](const Arrays& in) { return in; }, rules)({x})[0];
}

void shard_inplace(Module& module, const ShardingChoice& choose, const Group& group) {
  Parameters parameters = module.parameters();
  for (auto& [path, weight] : parameters) {
    auto chosen = choose(path, weight);
    if (chosen) weight = part_of_weight(weight, chosen->first, chosen->second, group);
  }
  module.update(parameters);
}
void shard_inplace(Module& module, Sharding sharding, const Segments& segments,
                   const Group& group) {
  using Chosen = std::optional<std::pair<int, Segments>>;
  shard_inplace(
      module,
      [&](const std::string& path, const Array& weight) -> Chosen {
        if (sharding == Sharding::all_to_sharded) {
          return {{std::max(weight.ndim() - 2, 0), segments}};
        }
        return is_bias(path) ? Chosen() : Chosen({-1, segments});
      },
      group);
}

AllToShardedLinear::AllToShardedLinear(int64_t input_dims, int64_t output_dims, bool with_bias,
                                       const Group& group)
    : Linear(input_dims, part_of("output", output_dims, group), with_bias), group_(group) {}
AllToShardedLinear::AllToShardedLinear(const Linear& whole, const Segments& segments,
                                       const Group& group)
    : Linear(whole), group_(group) {
  part_of("output", whole.weight.shape(0), group);
  shard_inplace(*this, Sharding::all_to_sharded, segments, group);
}
Array AllToShardedLinear::operator()(const Array& x) {
  // Every process has the same input, so the input's gradient is the sum of theirs.
  return Linear::operator()(sum_gradients(x, group_));
}

ShardedToAllLinear::ShardedToAllLinear(int64_t input_dims, int64_t output_dims, bool with_bias,
                                       const Group& group)
    : Linear(part_of("input", input_dims, group), output_dims, with_bias), group_(group) {
  // As in a whole layer, the bound is that of all input features.
  const Array scale = Array(std::sqrt(1.0 / group.size()), float32);
  weight = weight * scale;
  if (bias) bias = *bias * scale;
}
ShardedToAllLinear::ShardedToAllLinear(const Linear& whole, const Segments& segments,
                                       const Group& group)
    : Linear(whole), group_(group) {
  part_of("input", whole.columns(), group);
  shard_inplace(*this, Sharding::sharded_to_all, segments, group);
}
Array ShardedToAllLinear::operator()(const Array& x) {
  if (group_.size() == 1) return Linear::operator()(x);
  Array y = distributed::all_sum(times_weight(x), group_);
  return bias ? y + *bias : y;
}

QuantizedAllToShardedLinear::QuantizedAllToShardedLinear(int64_t input_dims, int64_t output_dims,
                                                         bool with_bias, const Quantization& format,
                                                         const Group& group)
    : AllToShardedLinear(input_dims, output_dims, with_bias, group) {
  quantize(format);
  if (bias) bias = zeros_like(*bias);
  freeze();
}
QuantizedAllToShardedLinear::QuantizedAllToShardedLinear(const Linear& whole,
                                                         const Segments& segments,
                                                         const Group& group)
    : AllToShardedLinear((require_quantized(whole), whole), segments, group) {
  freeze();
}

QuantizedShardedToAllLinear::QuantizedShardedToAllLinear(int64_t input_dims, int64_t output_dims,
                                                         bool with_bias, const Quantization& format,
                                                         const Group& group)
    : ShardedToAllLinear(input_dims, output_dims, with_bias, group) {
  quantize(format);
  if (bias) bias = zeros_like(*bias);
  freeze();
}
QuantizedShardedToAllLinear::QuantizedShardedToAllLinear(const Linear& whole,
                                                         const Segments& segments,
                                                         const Group& group)
    : ShardedToAllLinear((require_quantized(whole), whole), segments, group) {
  freeze();
}

std::shared_ptr<Linear> shard_linear(const Linear& whole, Sharding sharding,
                                     const Segments& segments, const Group& group) {
  if (sharding == Sharding::all_to_sharded) {
    if (whole.quantized()) {
      return std::make_shared<QuantizedAllToShardedLinear>(whole, segments, group);
    }
    return std::make_shared<AllToShardedLinear>(whole, segments, group);
  }
  if (whole.quantized()) {
    return std::make_shared<QuantizedShardedToAllLinear>(whole, segments, group);
  }
  return std::make_shared<ShardedToAllLinear>(whole, segments, group);
}

FullyShardedModule::FullyShardedModule(std::shared_ptr<Layer> module, const Group& group,
                                       std::optional<Dtype> compute_dtype)
    : module_(std::move(module)), group_(group), compute_dtype_(compute_dtype) {
  for (const auto& [path, weight] : module_->parameters()) {
    if (weight.ndim() == 0) {
      throw std::invalid_argument(
          fmt::format("Cannot shard parameter '{}' because it is a scalar.", path));
    }
    if (weight.shape(0) % group.size() != 0) {
      throw std::invalid_argument(
          fmt::format("The parameter {} of shape {} cannot be sharded across {} devices.", path,
                      shown(weight.shape()), group.size()));
    }
  }
  using Chosen = std::optional<std::pair<int, Segments>>;
  shard_inplace(
      *module_,
      [](const std::string&, const Array&) {
        return Chosen({0, 1});
      },
      group);
}
Array FullyShardedModule::operator()(const Array& x) {
  const Parameters parts = module_->parameters();
  if (parts.empty()) return (*module_)(x);
  Arrays arrays;
  for (const auto& [path, part] : parts) arrays.push_back(part);
  arrays = gathered(arrays, group_, compute_dtype_);
  Parameters wholes = parts;
  for (size_t i = 0; i < parts.size(); i++) wholes[i].second = arrays[i];
  struct Restore {  // also if the module throws
    Module& module;
    const Parameters& parts;
    ~Restore() {
      try {
        module.update(parts, false);
      } catch (const std::exception&) {  // no memory: the parameters stay whole
      }
    }
  } restore{*module_, parts};
  module_->update(wholes);
  return (*module_)(x);
}

std::shared_ptr<Layer> fully_shard(std::shared_ptr<Layer> module, const Group& group,
                                   std::optional<Dtype> compute_dtype) {
  if (group.size() == 1 || dynamic_cast<FullyShardedModule*>(module.get())) return module;
  return std::make_shared<FullyShardedModule>(std::move(module), group, compute_dtype);
}

Parameters average_gradients(const Parameters& gradients, const Group& group) {
  if (group.size() == 1) return gradients;
  Parameters out = gradients;
  for (auto& [path, gradient] : out) {
    Array sum = distributed::all_sum(gradient, group);
    gradient = sum / scalar(group.size(), sum);
  }
  return out;
}

std::pair<Arrays, Array> clipped(const Arrays& gradients, const Array& max_norm,
                                 const Group& group) {
  // Squares of float32 in float64: they overflow only where the norm does.
  Array squares(0.0, float64);
  Dtype dtype = float32;
  for (const Array& gradient : gradients) {
    const Array size = is_complex(gradient.dtype()) ? abs(gradient) : gradient;
    squares = squares + sum(square(astype(size, float64)));
    if (gradient.dtype() == float64) dtype = float64;
  }
  Array norm = astype(sqrt(distributed::all_sum(squares, group)), dtype);
  Array scale = minimum(astype(max_norm, dtype) / (norm + scalar(1e-6, norm)), scalar(1, norm));
  Arrays out;
  for (const Array& gradient : gradients) {
    Array scaled = gradient * scale;
    out.push_back(is_inexact(gradient.dtype()) ? astype(scaled, gradient.dtype()) : scaled);
  }
  return {std::move(out), std::move(norm)};
}

std::pair<Parameters, Array> clip_grad_norm_sharded(const Parameters& gradients, double max_norm,
                                                    const Group& group) {
  Arrays arrays;
  for (const auto& [path, gradient] : gradients) arrays.push_back(gradient);
  auto [scaled, norm] = clipped(arrays, Array(max_norm, float64), group);
  Parameters out = gradients;
  for (size_t i = 0; i < out.size(); i++) out[i].second = scaled[i];
  return {out, norm};
}

}  // namespace heddle::nn
