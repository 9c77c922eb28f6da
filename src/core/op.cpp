#include "core/op.h"

#include <mutex>

#include "core/node.h"

namespace heddle {
namespace {

std::vector<const OpInfo*>& op_table() {
  static auto* table = new std::vector<const OpInfo*>;
  return *table;
}

// "BroadcastTo" -> "broadcast_to"
std::string function_name(const std::string& op) {
  std::string out;
  for (char c : op) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !out.empty()) out.push_back('_');
    out.push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

[[gnu::cold, gnu::noinline]] void check_sizes(const Op& op, const Aval& result) {
  check_shape(function_name(op.info().name).c_str(), result.shape, size_of(result.dtype));
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

[[noreturn, gnu::cold]] void refuse_operand() {
  throw std::invalid_argument("[array] An operand is no array: it was never given a value.");
}

bool any_tracer(const Arrays& inputs) {
  for (const Array& a : inputs) {
    if (!a) [[unlikely]]
      refuse_operand();
    if (a.node()->tracer) return true;
  }
  return false;
}

}  // namespace

const OpInfo& register_op(std::string name) {
  auto& table = op_table();
  table.push_back(new OpInfo{static_cast<int>(table.size()), std::move(name)});
  return *table.back();
}

const std::vector<const OpInfo*>& registered_ops() { return op_table(); }

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
  siblings->outputs.reserve(results.size());
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
    siblings->outputs.push_back(node);
    outputs.push_back(Array::adopt(node));
  }
  return outputs;
}

Arrays apply_multi(OpRef op, Arrays inputs, const Stream& stream) {
  Avals results = op->infer(inputs);
  return apply_multi(std::move(op), std::move(inputs), results, stream);
}

}  // namespace heddle
