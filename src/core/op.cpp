#include "core/op.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "core/node.h"

namespace heddle {
namespace {

// Ops register before main() begins, and some when they are first used, on any thread.
struct Registry {
  std::mutex mutex;
  std::vector<const OpInfo*> ops;
  std::unordered_map<std::string_view, const OpInfo*> by_name;
};

Registry& registry() {
  static auto* all = new Registry;
  return *all;
}

[[gnu::cold, gnu::noinline]] void check_sizes(const Op& op, const Aval& result) {
  check_shape(op.function_name().c_str(), result.shape, size_of(result.dtype));
}

// No op gives more than a dimension or memory can count, whatever it computed the sizes from. Sizes
// whose product is small are fine, and all others are looked at closely.
inline void check_result(const Op& op, const Aval& result) {
  uint64_t sizes = 0, count = 1;
  for (int64_t d : result.shape) {
    sizes |= static_cast<uint64_t>(d);
    count *= static_cast<uint64_t>(d);
    sizes |= count;
  }
  // Below 2^31 each factor of each product was, so that none has wrapped around.
  if (sizes >> 31) [[unlikely]]
    check_sizes(op, result);
}

bool any_tracer(const Arrays& inputs) {
  for (const Array& a : inputs) {
    if (!a) [[unlikely]]
      refuse_no_array();
    if (a.node()->tracer) return true;
  }
  return false;
}

}  // namespace

const OpInfo& register_op(std::string name, std::vector<FieldInfo> fields,
                          std::function<OpRef(const Attributes&)> make) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  if (r.by_name.count(name) > 0) {
    throw std::logic_error(fmt::format("[register_op] There is an op {} already.", name));
  }
  const bool pins_sizes =
      std::any_of(fields.begin(), fields.end(), [](const FieldInfo& f) { return f.pins_sizes; });
  auto* info = new OpInfo{static_cast<int>(r.ops.size()), std::move(name), std::move(fields),
                          pins_sizes, std::move(make)};
  r.ops.push_back(info);
  r.by_name[info->name] = info;
  return *info;
}

const OpInfo* find_op(std::string_view name) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto at = r.by_name.find(name);
  return at == r.by_name.end() ? nullptr : at->second;
}

std::vector<const OpInfo*> registered_ops() {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  return r.ops;
}

std::string Op::function_name() const { return function_name_of(name()); }

std::string Op::describe() const {
  std::string text;
  for (const auto& [field, value] : attributes()) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", field, to_string(value));
  }
  return text;
}

Array apply(OpRef op, Arrays inputs, Aval result, const Stream& stream) {
  check_result(*op, result);
  const bool tracer = any_tracer(inputs);
  auto* node = new Node(std::move(result.shape), result.dtype);
  node->tracer = tracer;
  node->pointwise = op->is_pointwise();
  node->stream = stream.index;
  node->op = std::move(op);
  node->inputs = std::move(inputs);
  return Array::adopt(node);
}

Array apply(OpRef op, Arrays inputs, const Stream& stream) {
  op->check(inputs);
  Avals results = op->infer(inputs);
  return apply(std::move(op), std::move(inputs), std::move(results[0]), stream);
}

Arrays apply_multi(OpRef op, Arrays inputs, const Avals& results, const Stream& stream) {
  for (const Aval& result : results) check_result(*op, result);
  const bool tracer = any_tracer(inputs);
  auto* siblings = new Siblings;
  siblings->references = static_cast<int>(results.size());
  Arrays outputs;
  outputs.reserve(results.size());
  siblings->results.reserve(results.size());
  for (size_t i = 0; i < results.size(); i++) {
    auto* node = new Node(results[i].shape, results[i].dtype);
    node->tracer = tracer;
    node->stream = stream.index;
    node->op = op;
    if (i + 1 < results.size()) {
      node->inputs = inputs;
    } else {
      node->inputs = std::move(inputs);
    }
    node->siblings = siblings;
    node->output_index = static_cast<uint16_t>(i);
    siblings->results.push_back({node});
    outputs.push_back(Array::adopt(node));
  }
  return outputs;
}

Arrays apply_multi(OpRef op, Arrays inputs, const Stream& stream) {
  op->check(inputs);
  Avals results = op->infer(inputs);
  if (results.size() > 1) return apply_multi(std::move(op), std::move(inputs), results, stream);
  return {apply(std::move(op), std::move(inputs), std::move(results[0]), stream)};
}

}  // namespace heddle
