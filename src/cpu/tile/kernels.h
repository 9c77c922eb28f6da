// The loops that a tile program is made of, compiled once per instruction set, and the table in
// which the interpreter finds them.
#pragma once

#include "core/code.h"
#include "cpu/tile/bytecode.h"

namespace heddle::cpu::tile {

inline constexpr int lane_count = 7;

// Kernels work on blocks of this many elements: one that is asked for n elements may read and write
// n rounded up to a multiple of `block`.
inline constexpr int block = 16;
constexpr int round_up_to_block(int n) { return (n + block - 1) & ~(block - 1); }

// out[i] = f(a[i], b[i], c[i]) on lanes. `out` may equal any operand whose lane is at least as wide
// as its own; where out's lane is wider than an operand's, it must be other memory.
using Kernel = void (*)(const void* a, const void* b, const void* c, void* out, int n);

// Between dense memory and lanes, both in element order. Memory is touched for n elements exactly;
// lanes are written up to a whole block, the rest of it as zeros.
using Move = void (*)(const void* from, void* to, int n);

struct Kernels {
  Kernel compute[code_count][lane_count] = {};  // null: the function is not defined on that lane
  Kernel cast[lane_count][lane_count] = {};     // from, to; plain copies on the diagonal
  Kernel cast_to_half[lane_count] = {};         // to f32 lanes that are rounded to a half next
  Kernel to_bool[lane_count] = {};              // x != 0 in i32 lanes
  Kernel round[dtype_count] = {};               // null where a dtype fills its lane
  Move load[dtype_count] = {};
  Move store[dtype_count] = {};
  Move stream = nullptr;  // n 4-byte words to 64-byte aligned memory, past the caches

  void set(Code code, Lane lane, Kernel kernel) {
    compute[static_cast<int>(code)][static_cast<int>(lane)] = kernel;
  }
};

// The table of the best instruction set of this machine (or of those that a test has left enabled).
const Kernels& kernels();

// Each fills its part of the table; called once per instruction set.
void add_real_kernels(Kernels& k);         // f32, f64: arithmetic, comparisons
void add_integer_kernels(Kernels& k);      // i32, u32, i64, u64
void add_exponential_kernels(Kernels& k);  // f32, f64: exp, log, erf, hyperbolic, power
void add_circular_kernels(Kernels& k);     // f32, f64: sin, cos, tan and their inverses
void add_complex_kernels(Kernels& k);      // c64
void add_conversion_kernels(Kernels& k);   // casts, rounding, loads and stores

}  // namespace heddle::cpu::tile
