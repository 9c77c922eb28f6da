// What runs a program on one tile: the instructions resolved to kernels (once per run, shared by
// threads) and the registers (one set per thread).
#pragma once

#include "cpu/scratch_array.h"
#include "cpu/tile/bytecode.h"
#include "cpu/tile/kernels.h"

namespace heddle::cpu::tile {

// dst = round(kernel(a, b, c)).
struct Step {
  Kernel kernel;
  Kernel round;  // may be null
  Register dst, a, b, c;
};

struct Executable {
  // `exact_output`: the last instruction's result is also rounded; without it that is left to the
  // store of the result, where nothing else can see the difference.
  Executable(const Bytecode& program, const Kernels& kernels, bool exact_output);

  InlineVector<Step, 12> steps;
  int registers;   // the program's and one spare
  int slot_bytes;  // of one element of a register
};

// What the next tile will read, to be fetched while this one is computed: a share after each step,
// as many lines as are underway at a time. (All at once they would stall the loads of the steps.)
class Ahead {
 public:
  // Begins anew; `steps` will share the lines.
  void start(int steps) {
    steps_ = steps;
    count_ = 0;
  }
  void add(const void* memory, size_t bytes) {
    if (count_ == most) return;
    ranges_[count_++] = {static_cast<const char*>(memory), static_cast<const char*>(memory) + bytes,
                         (bytes / line / static_cast<size_t>(steps_) + 1) * line};
  }
  void fetch_some() {
    for (int i = 0; i < count_; i++) {
      Range& r = ranges_[i];
      const char* end = r.at + r.share < r.end ? r.at + r.share : r.end;
      for (; r.at < end; r.at += line) __builtin_prefetch(r.at);
    }
  }

 private:
  static constexpr int most = 6;
  static constexpr size_t line = 64;
  struct Range {
    const char *at, *end;
    size_t share;
  };
  Range ranges_[most];
  int count_ = 0, steps_ = 1;
};

// Registers of `tile` elements (rounded up to whole blocks), 64-byte aligned.
class RegisterFile {
 public:
  RegisterFile(const Executable& e, int tile);
  RegisterFile(const RegisterFile&) = delete;
  RegisterFile& operator=(const RegisterFile&) = delete;

  // The register's own memory, and where its value is at present: that, or an operand's or result's
  // memory where no conversion is needed.
  void* own(int r) { return base_ + static_cast<size_t>(r) * bytes_; }
  const void* get(int r) const { return at_[static_cast<size_t>(r)]; }
  void point(int r, const void* memory) { at_[static_cast<size_t>(r)] = const_cast<void*>(memory); }

  // Runs the program on n elements. The last step writes to `result` instead of its register if
  // that is given.
  void run(const Executable& e, int n, void* result = nullptr, Ahead* ahead = nullptr) {
    if (e.steps.empty()) return;
    const Step* last = e.steps.end() - 1;
    for (const Step* s = e.steps.begin(); s != last; s++) {
      if (ahead) ahead->fetch_some();
      step(*s, at_[s->dst], n);
    }
    if (ahead) ahead->fetch_some();
    step(*last, result ? result : at_[last->dst], n);
  }

 private:
  void step(const Step& s, void* dst, int n) {
    s.kernel(at_[s.a], at_[s.b], at_[s.c], dst, n);
    if (s.round) s.round(dst, nullptr, nullptr, dst, n);
  }

  size_t bytes_;
  ScratchArray<unsigned char> memory_;
  unsigned char* base_;
  InlineVector<void*, 16> at_;
};

}  // namespace heddle::cpu::tile
