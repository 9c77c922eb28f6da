#include "cpu/pointwise.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <numeric>
#include <vector>

#include "core/per_thread.h"
#include "ops/pointwise.h"

namespace heddle::cpu {
namespace {

// True if the elements fill their memory without gaps in some order of the dimensions.
bool is_dense(const Shape& shape, const Strides& strides) {
  int64_t expected = 1;
  Shape s = shape;
  Strides st = strides;
  size_t n = s.size();
  for (size_t done = 0; done < n; done++) {
    size_t pick = n;
    for (size_t i = 0; i < n; i++) {
      if (s[i] == 1) continue;
      if (st[i] == expected) pick = i;
    }
    if (pick == n) break;
    expected *= s[pick];
    s[pick] = 1;
  }
  return std::all_of(s.begin(), s.end(), [](int64_t d) { return d == 1; });
}

// Code made a program, and what the program works on; reused by the thread, so that small groups
// allocate nothing.
struct Compiler {
  tile::Bytecode program;
  std::vector<View> inputs;
  std::vector<View> outputs;
  std::vector<tile::Register> registers;  // of each node of the group
  std::vector<int> last_use;  // position of the last reader; kept values live to the end
  std::vector<tile::Register> free;
  std::vector<const Strides*> layouts;  // of operands, then of nodes

  // Strides of `node` seen in `shape`: 0 where it is broadcast.
  static View broadcast_view(const Node& node, const Shape& shape) {
    View v = node.view();
    if (v.shape == shape) return v;
    Strides strides(shape.size(), 0);
    size_t skip = shape.size() - v.shape.size();
    for (size_t i = 0; i < v.shape.size(); i++) {
      strides[skip + i] = v.shape[i] == shape[skip + i] && v.shape[i] != 1 ? v.strides[i] : 0;
    }
    v.shape = shape;
    v.strides = strides;
    return v;
  }

  // The program, without what it works on.
  void compile(const PointwiseCode& code) {
    program.inputs.clear();
    program.code.clear();
    program.outputs.clear();
    free.clear();
    constexpr size_t first = PointwiseCode::first_node;
    for (const Node* in : code.inputs) program.inputs.push_back(in->dtype);
    size_t n = code.nodes.size();
    last_use.assign(n, -1);
    registers.assign(n, 0);
    for (size_t k = 0; k < n; k++) {
      for (size_t j = 0; j < code.nodes[k]->inputs.size(); j++) {
        const size_t from = code.operands[k][j];
        if (from >= first) last_use[from - first] = static_cast<int>(k);
      }
    }
    program.registers = static_cast<int>(code.inputs.size());
    for (size_t k = 0; k < n; k++) {
      const Node& node = *code.nodes[k];
      tile::Register operand[3] = {0, 0, 0};
      for (size_t j = 0; j < node.inputs.size(); j++) {
        const size_t from = code.operands[k][j];
        operand[j] = from >= first ? registers[from - first] : static_cast<tile::Register>(from);
      }
      // Registers whose value is read here for the last time may take the result.
      for (size_t j = 0; j < node.inputs.size(); j++) {
        if (code.operands[k][j] < first) continue;
        const size_t source = code.operands[k][j] - first;
        bool stays = code.kept[source];
        if (last_use[source] == static_cast<int>(k) && !stays) {
          last_use[source] = -2;  // once, should it be read twice here
          free.push_back(registers[source]);
        }
      }
      if (free.empty()) {
        registers[k] = static_cast<tile::Register>(program.registers++);
      } else {
        registers[k] = free.back();
        free.pop_back();
      }
      program.code.push_back({node.op->pointwise_code(), node.inputs.back().dtype(), node.dtype,
                              registers[k], operand[0], operand[1], operand[2]});
      if (code.kept[k]) program.outputs.push_back({registers[k], node.dtype});
    }
  }

  void read(const PointwiseGroup& group) {
    inputs.clear();
    for (const Node* in : group.operands) inputs.push_back(broadcast_view(*in, group.shape));
  }

  // The strides that each node's value has in memory, whether or not its neighbours are stored:
  // those of its first operand that is dense in an order of its own, so that transposed arrays are
  // walked as they lie; row-major ones, for which null stands, if it has none or a row-major one.
  std::span<const Strides* const> lay_out(const PointwiseGroup& group) {
    static const Strides& none = *new Strides;  // of operands that are broadcast or have gaps
    const PointwiseCode& code = group.code();
    const size_t operands = group.operands.size();
    layouts.assign(operands + code.nodes.size(), nullptr);
    bool any = false;
    for (size_t i = 0; i < operands; i++) {
      const Node& in = *group.operands[i];
      if (!(in.shape == group.shape)) {
        layouts[i] = &none;
      } else if (!in.row_contiguous()) {
        layouts[i] = is_dense(in.shape, in.strides) ? &in.strides : &none;
        any |= layouts[i] != &none;
      }
    }
    for (size_t k = 0; any && k < code.nodes.size(); k++) {
      const Strides* chosen = &none;
      for (size_t j = 0; j < code.nodes[k]->inputs.size(); j++) {
        const size_t from = code.operands[k][j];
        const Strides* layout =
            layouts[from >= PointwiseCode::first_node ? operands + from - PointwiseCode::first_node
                                                      : from];
        if (!layout || chosen == &none) chosen = layout;
        if (!layout) break;
      }
      layouts[operands + k] = chosen == &none ? nullptr : chosen;
    }
    return std::span(layouts).subspan(operands);
  }
};

Compiler& compiler(size_t i = 0) {
  auto& compilers = per_thread<std::deque<Compiler>>();
  while (compilers.size() <= i) compilers.emplace_back();
  return compilers[i];
}

// Gives the results memory, which a program will fill.
void prepare(const PointwiseGroup& group, Compiler& c) {
  c.read(group);
  c.outputs.clear();

  const std::span<const Strides* const> layouts = c.lay_out(group);
  const Strides row_major = row_major_strides(group.shape);
  uint32_t taken = 0;  // operands whose memory a result has
  size_t node = 0;
  for (Node* result : group.results) {
    Node& out = *result;
    while (!group.code().kept[node]) node++;
    const Strides& strides = layouts[node] ? *layouts[node] : row_major;
    node++;
    bool donated = false;
    for (size_t i = 0; group.may_donate && i < group.operands.size() && !donated; i++) {
      const Node& in = *group.operands[i];
      if ((taken >> i & 1) || size_of(in.dtype) != size_of(out.dtype) || !in.donatable() ||
          !(in.shape == group.shape) || !(in.strides == strides)) {
        continue;
      }
      out.set_data(in.buffer, strides, in.data - static_cast<char*>(in.buffer->data));
      taken |= 1u << i;
      donated = true;
    }
    if (!donated) out.set_data(allocate(out.nbytes()), strides);
    c.outputs.push_back(out.view());
  }
}

// The groups' programs, each in one of the thread's compilers: that of the first group with the
// same shared code, which is compiled once.
const tile::Bytecode& program_of(std::span<const PointwiseGroup> groups, size_t i) {
  const PointwiseCode* shared = groups[i].shared;
  for (size_t first = 0; shared && first < i; first++) {
    if (groups[first].shared == shared) return compiler(first).program;
  }
  compiler(i).compile(groups[i].code());
  return compiler(i).program;
}

}  // namespace

void run_pointwise(std::span<const PointwiseGroup> groups) {
  if (groups.size() == 1) {
    Compiler& c = compiler();
    c.compile(groups[0].code());
    prepare(groups[0], c);
    tile::run(c.program, groups[0].shape, c.inputs.data(), c.outputs.data());
    return;
  }
  std::vector<tile::Job> jobs;
  jobs.reserve(groups.size());
  for (size_t i = 0; i < groups.size(); i++) {
    Compiler& c = compiler(i);
    const tile::Bytecode& program = program_of(groups, i);
    prepare(groups[i], c);
    jobs.push_back({&program, &groups[i].shape, c.inputs.data(), c.outputs.data()});
  }
  tile::run(jobs);
}

namespace {

// An expression of so many elements leaves the caches: there a strided read fetches a line for each
// element, again and again.
constexpr int64_t large = 1 << 16;

// True if `in` is read across its memory in the order of its dimensions.
bool is_across(const View& in) {
  for (size_t i = in.shape.size(); i-- > 0;) {
    if (in.shape[i] != 1) return std::abs(in.strides[i]) > 1;
  }
  return false;
}

}  // namespace

Strides strides_of(const Work& work) {
  if (!work.prologue) return work.input(0).strides;
  const Strides* layout = compiler().lay_out(*work.prologue).back();
  return layout ? *layout : row_major_strides(work.prologue->shape);
}

InputSource source_of(const Work& work, const Order& order) {
  if (!work.prologue) {
    return InputSource(tile::Source(reordered(work.input(0).view(), order)));
  }
  Compiler& c = compiler();
  c.compile(work.prologue->code());
  c.read(*work.prologue);
  for (View& in : c.inputs) in = reordered(in, order);
  View all{nullptr, c.program.outputs[0].dtype, work.prologue->shape, strides_of(work)};
  all = reordered(all, order);
  if (all.size() < large || std::count_if(c.inputs.begin(), c.inputs.end(), is_across) < 2) {
    return InputSource(tile::Source(c.program, all.shape, c.inputs.data()));
  }
  BufferRef stored = allocate(static_cast<size_t>(all.size()) * size_of(all.dtype));
  all.data = stored->data;
  tile::run(c.program, all.shape, c.inputs.data(), &all);
  return InputSource(tile::Source(all), std::move(stored));
}

InputSource source_of(const Work& work) {
  return source_of(work, shape_order(work.inputs[0].shape().size()));
}

}  // namespace heddle::cpu
