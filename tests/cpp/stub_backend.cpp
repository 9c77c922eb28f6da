#include "stub_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>

namespace heddle {
namespace {

using Values = std::vector<float>;  // in row-major order
using Pointwise = float (*)(const float* in);
using Kernel = void (*)(const Work& work);

// Operations are told apart by name (a device with many does better with OpInfo::id).
const std::map<std::string, Pointwise>& pointwise_table() {
  static const auto* table = new std::map<std::string, Pointwise>{
      {"Add", [](const float* in) { return in[0] + in[1]; }},
      {"Subtract", [](const float* in) { return in[0] - in[1]; }},
      {"Multiply", [](const float* in) { return in[0] * in[1]; }},
      {"Negative", [](const float* in) { return -in[0]; }},
      {"Exp", [](const float* in) { return std::exp(in[0]); }},
  };
  return *table;
}

[[noreturn]] void refuse(const Op& op) {
  throw std::runtime_error(fmt::format("[{}] has no kernel on the stub device.", op.name()));
}

void require_float32(const Op& op, Dtype t) {
  if (t == Dtype::float32) return;
  throw std::runtime_error(
      fmt::format("[{}] The stub device computes float32, not {}.", op.name(), name_of(t)));
}

// The elements of an operand seen in `shape`, to which it broadcasts.
Values read(const Node& node, const Shape& shape) {
  Values values(static_cast<size_t>(element_count(shape)));
  const size_t missing = shape.size() - node.shape.size();
  for (size_t i = 0; i < values.size(); i++) {
    int64_t rest = static_cast<int64_t>(i), place = 0;
    for (size_t axis = shape.size(); axis-- > 0;) {
      const int64_t at = rest % shape[axis];
      rest /= shape[axis];
      if (axis >= missing && node.shape[axis - missing] != 1) {
        place += at * node.strides[axis - missing];
      }
    }
    values[i] = reinterpret_cast<const float*>(node.data)[place];
  }
  return values;
}

void write(const Values& values, Node& out) {
  out.allocate_dense();
  std::copy(values.begin(), values.end(), reinterpret_cast<float*>(out.data));
}

void run_matmul(const Work& work) {
  const Node &a = work.input(0), &b = work.input(1);
  if (a.shape.size() != 2 || b.shape.size() != 2) refuse(work.op);
  const size_t rows = static_cast<size_t>(a.shape[0]), inner = static_cast<size_t>(a.shape[1]),
               columns = static_cast<size_t>(b.shape[1]);
  const Values x = read(a, a.shape), y = read(b, b.shape);
  Values product(rows * columns);
  for (size_t i = 0; i < rows; i++) {
    for (size_t k = 0; k < inner; k++) {
      for (size_t j = 0; j < columns; j++) {
        product[i * columns + j] += x[i * inner + k] * y[k * columns + j];
      }
    }
  }
  write(product, work.output());
}

const std::map<std::string, Kernel>& kernel_table() {
  static const auto* table = new std::map<std::string, Kernel>{{"Matmul", run_matmul}};
  return *table;
}

// Node after node, each in memory of its own; a device that is worth it makes one program of them.
void run_group(const PointwiseGroup& group) {
  const PointwiseCode& code = group.code();
  std::vector<Values> operands, nodes;
  for (const Node* in : group.operands) operands.push_back(read(*in, group.shape));
  size_t result = 0;
  for (size_t k = 0; k < code.nodes.size(); k++) {
    const Op& op = *code.nodes[k]->op;
    const auto kernel = pointwise_table().find(op.name());
    if (kernel == pointwise_table().end()) refuse(op);
    require_float32(op, code.nodes[k]->dtype);
    Values out(static_cast<size_t>(element_count(group.shape)));
    for (size_t i = 0; i < out.size(); i++) {
      float in[3] = {};
      for (size_t j = 0; j < code.nodes[k]->inputs.size(); j++) {
        const size_t from = code.operands[k][j];
        in[j] = from < PointwiseCode::first_node ? operands[from][i]
                                                 : nodes[from - PointwiseCode::first_node][i];
      }
      out[i] = kernel->second(in);
    }
    if (code.kept[k]) write(out, *group.results[result++]);
    nodes.push_back(std::move(out));
  }
}

}  // namespace

void StubBackend::run(const Work& work) {
  const auto kernel = kernel_table().find(work.op.name());
  if (kernel == kernel_table().end()) refuse(work.op);
  for (const Array& in : work.inputs) require_float32(work.op, in.dtype());
  kernel->second(work);
  ops++;
}

void StubBackend::run(std::span<const PointwiseGroup> all) {
  for (const PointwiseGroup& group : all) run_group(group);
  groups += static_cast<int>(all.size());
}

StubBackend& stub_backend() {
  static auto* backend = new StubBackend;
  return *backend;
}

}  // namespace heddle
