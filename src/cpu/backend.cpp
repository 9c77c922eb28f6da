// The CPU backend: finds kernels by op.
#include "eval/backend.h"

#include <fmt/format.h>

#include <stdexcept>

#include "cpu/kernel.h"
#include "cpu/pointwise.h"
#include "cpu/tile/bytecode.h"

namespace heddle {
namespace cpu {
namespace {

struct Entry {
  Kernel kernel = nullptr;
  bool takes_prologue = false;
};

std::vector<Entry>& table() {
  static auto* t = new std::vector<Entry>;
  return *t;
}

const Entry* find(const Op& op) {
  size_t id = static_cast<size_t>(op.info().id);
  const auto& t = table();
  return id < t.size() && t[id].kernel ? &t[id] : nullptr;
}

class CpuBackend final : public Backend {
 public:
  void run(const Work& work) override {
    const Entry* e = find(work.op);
    if (!e) throw std::runtime_error(fmt::format("[{}] has no CPU kernel.", work.op.name()));
    e->kernel(work);
  }
  void run(std::span<const PointwiseGroup> groups) override { run_pointwise(groups); }
  bool takes_prologue(const Op& op) const override {
    const Entry* e = find(op);
    return e && e->takes_prologue;
  }
};

}  // namespace

void register_kernel(const OpInfo& op, Kernel kernel, bool takes_prologue) {
  auto& t = table();
  size_t id = static_cast<size_t>(op.id);
  if (t.size() <= id) t.resize(id + 1);
  t[id] = {kernel, takes_prologue};
}

Dense::Dense(const Node& node) : view_(node.view()) {
  if (view_.row_contiguous()) return;
  copy_ = allocate(node.nbytes());
  View dense{copy_->data, node.dtype, node.shape, row_major_strides(node.shape)};
  tile::copy(view_, dense);
  view_ = dense;
}

void allocate_or_donate(const Work& work, size_t o, size_t i) {
  Node& out = work.output(o);
  const Node& in = work.input(i);
  if (work.donatable(i) && in.row_contiguous() && in.nbytes() == out.nbytes()) {
    out.set_data(in.buffer, in.data - static_cast<char*>(in.buffer->data));
  } else {
    out.allocate_dense();
  }
}

}  // namespace cpu

Backend& cpu_backend() {
  static auto* backend = new cpu::CpuBackend;  // outlives threads that still evaluate at the end
  return *backend;
}

}  // namespace heddle
