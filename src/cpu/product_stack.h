// A stack of matrix products, between matmul.cpp, which prepares it, and those that multiply it.
#pragma once

#include "cpu/gemm.h"
#include "cpu/matmul.h"
#include "heddle/shape.h"

namespace heddle::cpu {

inline constexpr int most_operands = 3;
enum Operand { operand_a, operand_b, operand_addend };

// A stack of products with its batch dimensions merged as far as the strides allow. The result is
// dense, so its batch stride is M * N.
struct Stack {
  Dtype dtype;
  int64_t M, N, K;
  Shape batch;
  struct Side {
    const char* data = nullptr;
    Strides batch;
    int64_t row_stride = 0, column_stride = 0;
  } sides[most_operands];
  char* out;

  int64_t count() const { return element_count(batch); }

  const char* at(Operand o, int64_t entry) const {
    const Side& s = sides[o];
    int64_t offset = 0;
    for (size_t d = batch.size(); d-- > 0;) {
      offset += entry % batch[d] * s.batch[d];
      entry /= batch[d];
    }
    return s.data + offset * static_cast<int64_t>(size_of(dtype));
  }
  Matrix matrix(Operand o, int64_t entry) const {
    const Side& s = sides[o];
    return {s.data ? at(o, entry) : nullptr, dtype, s.row_stride, s.column_stride};
  }
};

inline Finish finish_of(const Stack& s, const Epilogue& e, int64_t entry) {
  Finish f{s.out + entry * s.M * s.N * static_cast<int64_t>(size_of(s.dtype)), s.dtype, s.N};
  f.alpha = e.alpha;
  f.beta = e.beta;
  f.addend = s.matrix(operand_addend, entry);
  f.tail = e.tail;
  return f;
}

// The products by oneDNN: a and b have a stride of 1 in one direction each. False if oneDNN has
// only its reference implementation for these layouts; what out holds then is of no meaning.
bool multiply_by_onednn(const Stack& s, const Epilogue& e);

}  // namespace heddle::cpu
