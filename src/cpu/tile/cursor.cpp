// Source and Cursor: a program's values pulled in row-major ranges.
#include <algorithm>

#include "cpu/scratch_array.h"
#include "cpu/tile/bytecode.h"
#include "cpu/tile/machine.h"
#include "cpu/tile/moves.h"

namespace heddle::cpu::tile {
namespace {

Bytecode identity(Dtype dtype) {
  Bytecode p;
  p.inputs = {dtype};
  p.outputs = {{0, dtype}};
  p.registers = 1;
  return p;
}

// One operand by its position in row-major order, its dimensions merged as far as it alone allows.
class LinearOperand {
 public:
  explicit LinearOperand(const View& view) : data_(view.data), dtype_(view.dtype) {
    for (size_t i = 0; i < view.shape.size(); i++) {
      if (view.shape[i] == 1) continue;
      if (!extents_.empty() && strides_.back() == view.strides[i] * view.shape[i]) {
        extents_.back() *= view.shape[i];
        strides_.back() = view.strides[i];
      } else {
        extents_.push_back(view.shape[i]);
        strides_.push_back(view.strides[i]);
      }
    }
    if (extents_.empty()) {
      extents_.push_back(1);
      strides_.push_back(1);
    }
  }

  // Elements [begin, begin + n): their memory where kernels may use it as it is, else `own`,
  // filled.
  const void* fetch(const Kernels& k, int64_t begin, int n, void* own) {
    const size_t last = extents_.size() - 1, width = size_of(dtype_);
    InlineVector<int64_t, 6> position(extents_.size());
    int64_t rest = begin, offset = 0;
    for (size_t i = extents_.size(); i-- > 0;) {
      position[i] = rest % extents_[i];
      rest /= extents_[i];
      offset += position[i] * strides_[i];
    }
    if (extents_[last] - position[last] >= n) {
      const void* memory = advance(data_, offset, width);
      const Pattern p{.stride = strides_[last], .run = n};
      if (p.dense() && n % block == 0 && fills_lane(dtype_)) return memory;
      if (p.stride == 0 && loaded_ == memory && n <= loaded_count_) return own;
      read(k, memory, dtype_, p, own);
      loaded_ = memory;
      loaded_count_ = n;
      return own;
    }
    loaded_ = nullptr;
    // Several rows: the start of every row if they are whole and long enough, else of every
    // element.
    const bool whole = position[last] == 0 && n % extents_[last] == 0 && extents_[last] >= block;
    const ScratchArray<int64_t> starts(tile_size);
    int filled = 0;
    for (int i = 0; i < n;) {
      const int64_t run = std::min<int64_t>(n - i, extents_[last] - position[last]);
      for (int64_t j = 0; j < (whole ? 1 : run); j++)
        starts[filled++] = offset + j * strides_[last];
      i += static_cast<int>(run);
      offset += (run - 1) * strides_[last];
      position[last] += run - 1;
      for (size_t d = last + 1; d-- > 0;) {
        offset += strides_[d];
        if (++position[d] < extents_[d] || d == 0) break;
        offset -= position[d] * strides_[d];
        position[d] = 0;
      }
    }
    const int run = whole ? static_cast<int>(extents_[last]) : 1;
    read(k, data_, dtype_,
         Pattern{.stride = strides_[last], .run = run, .count = filled, .starts = starts}, own);
    return own;
  }

 private:
  const void* data_;
  Dtype dtype_;
  Shape extents_;
  Strides strides_;
  const void* loaded_ = nullptr;
  int loaded_count_ = 0;
};

}  // namespace

Source::Source(const Bytecode& program, const Shape& shape, const View* inputs)
    : shape_(shape), dtype_(program.outputs[0].dtype) {
  if (program.code.empty()) {
    const View& view = inputs[program.outputs[0].source];
    if (fills_lane(view.dtype) && view.row_contiguous()) {
      direct_ = view.data;
      return;
    }
  }
  program_ = program;
  inputs_.assign(inputs, inputs + program.inputs.size());
}

Source::Source(const View& view) : shape_(view.shape), dtype_(view.dtype) {
  if (fills_lane(view.dtype) && view.row_contiguous()) {
    direct_ = view.data;
  } else {
    program_ = identity(view.dtype);
    inputs_.push_back(view);
  }
}

struct Cursor::State {
  explicit State(const Source& source)
      : program(source.program_),
        table(kernels()),
        executable(source.program_, table, true),
        registers(executable, tile_size) {
    operands.reserve(source.inputs_.size());
    for (const View& view : source.inputs_) operands.emplace_back(view);
  }

  const Bytecode& program;
  const Kernels& table;
  Executable executable;
  RegisterFile registers;
  std::vector<LinearOperand> operands;
};

Cursor::Cursor(const Source& source)
    : direct_(source.direct()), direct_bytes_(lane_bytes(lane_of(source.dtype()))) {
  if (!direct_) state_ = new State(source);
}

Cursor::~Cursor() { delete state_; }

const void* Cursor::at(int64_t begin, int n) {
  if (direct_) return advance(direct_, begin, static_cast<size_t>(direct_bytes_));
  State& s = *state_;
  for (size_t i = 0; i < s.operands.size(); i++) {
    const int r = static_cast<int>(i);
    s.registers.point(r, s.operands[i].fetch(s.table, begin, n, s.registers.own(r)));
  }
  s.registers.run(s.executable, n);
  return s.registers.get(s.program.outputs[0].source);
}

}  // namespace heddle::cpu::tile
