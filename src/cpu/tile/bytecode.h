// A tile program: a run of pointwise instructions executed tile by tile (at most `tile_size`
// elements at a time), with every intermediate value in a register that stays in the L1 cache.
//
// Registers hold elements in a *lane type*, wide enough for the dtypes that share it:
//   f32: float16, bfloat16, float32    f64: float64    c64: complex64
//   i32: bool, int8, int16, int32, uint8, uint16       u32: uint32
//   i64: int64    u64: uint64
// After each instruction the value is rounded (or wrapped) to the instruction's dtype, so a program
// computes bit for bit what its instructions would compute one at a time through memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/code.h"
#include "core/view.h"

namespace heddle::cpu::tile {

inline constexpr int tile_size = 1024;

enum class Lane : uint8_t { f32, f64, c64, i32, u32, i64, u64 };

constexpr Lane lane_of(Dtype t) {
  switch (t) {
    case Dtype::float16:
    case Dtype::bfloat16:
    case Dtype::float32:
      return Lane::f32;
    case Dtype::float64:
      return Lane::f64;
    case Dtype::complex64:
      return Lane::c64;
    case Dtype::uint32:
      return Lane::u32;
    case Dtype::int64:
      return Lane::i64;
    case Dtype::uint64:
      return Lane::u64;
    default:
      return Lane::i32;
  }
}

constexpr int lane_bytes(Lane l) {
  return (l == Lane::f64 || l == Lane::c64 || l == Lane::i64 || l == Lane::u64) ? 8 : 4;
}

using Register = uint16_t;

// dst = code(a, b, c), computed on the lane of `from` (the dtype of the operands; for select, of
// the values x and y: the condition is always bool) and rounded to `to` (in the lane of `to`).
// Code::copy with from != to converts with MLX's cast rules (C casts: float to int truncates, wraps
// to narrow ints, anything to bool by != 0, complex to real drops the imaginary part).
struct Instruction {
  Code code;
  Dtype from;
  Dtype to;
  Register dst = 0, a = 0, b = 0, c = 0;
  bool operator==(const Instruction&) const = default;
};

// Registers 0 .. inputs.size()-1 are the operands, loaded from memory in their dtypes' lanes and
// never written by instructions. Results are written once per register unless registers are reused
// after the last use of their value (dst may equal an operand of the same instruction).
struct Bytecode {
  std::vector<Dtype> inputs;
  std::vector<Instruction> code;
  struct Output {
    Register source;
    Dtype dtype;  // equals the dtype of the value in `source`
    bool operator==(const Output&) const = default;
  };
  std::vector<Output> outputs;
  int registers = 0;  // how many there are, the inputs included
  bool operator==(const Bytecode&) const = default;
};

// Runs `program` over `shape`. inputs[i].shape must equal `shape` (strides 0 where broadcast);
// outputs may have any strides. An output may be the very memory of an input of the same strides
// and element size (donation); other overlap is not allowed. Parallel above a fixed size; results
// do not depend on the number of threads. Small work (at most tile_size elements, operands of one
// stride each, up to 12 instructions and 14 registers) allocates nothing on the heap.
// Throws std::invalid_argument where a function is not defined for a dtype.
void run(const Bytecode& program, const Shape& shape, const View* inputs, const View* outputs);

// Runs several programs, none of which reads what another writes, as one parallel loop.
struct Job {
  const Bytecode* program;
  const Shape* shape;
  const View* inputs;
  const View* outputs;
};
void run(std::span<const Job> jobs);

// Pull interface for reductions, softmax and the like: computes one output of a program on any
// range of the row-major order of `shape` without storing it.
// A Source is immutable and may be shared by threads; each thread owns a Cursor.
class Source {
 public:
  Source(const Bytecode& program, const Shape& shape, const View* inputs);  // copies what it needs
  explicit Source(const View& view);  // the identity program over one array
  const Shape& shape() const { return shape_; }
  Dtype dtype() const { return dtype_; }  // of the produced values
  // The memory itself where the source is one plain row-contiguous array whose dtype fills its lane
  // (float32, float64, complex64, int32, uint32, int64, uint64): no copy is needed then. Else null.
  const void* direct() const { return direct_; }

 private:
  friend class Cursor;
  Bytecode program_;  // empty, like inputs_, where the values lie in memory already
  Shape shape_;
  std::vector<View> inputs_;
  Dtype dtype_;
  const void* direct_ = nullptr;
};

class Cursor {
 public:
  explicit Cursor(const Source& source);  // which must outlive it
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  // Elements [begin, begin + n) in row-major order, n <= tile_size, in the lane of source.dtype().
  // The pointer stays valid until the next call.
  const void* at(int64_t begin, int n);

 private:
  struct State;
  const void* direct_;
  const int direct_bytes_;  // of an element
  State* state_ = nullptr;
};

// Converts n lane values (rounded to `dtype` already) to memory and back; element strides.
void store_tile(const void* lanes, Dtype dtype, void* memory, int64_t stride, int n);
void load_tile(const void* memory, Dtype dtype, int64_t stride, void* lanes, int n);

// dst = src with conversion, any dtypes and strides of one shape; the engine's one copy.
// Transposed 2-D patterns are walked in blocks.
void copy(const View& src, const View& dst);

}  // namespace heddle::cpu::tile
