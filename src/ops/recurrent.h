// Recurrent cells stepped through time. The input's part of the gates is computed before, for all
// steps at once.
#pragma once

#include "core/op.h"
#include "core/recurrence.h"

namespace heddle {

// x (B, T, gates * H), wh (gates * H, H), h0 (B, H)[, the initial cell (B, H) of an LSTM, the bias
// (H) of a GRU's n] -> the hidden states (B, T, H)[, the cells of an LSTM]. One dtype, float32 or
// float64; T >= 1.
struct Recurrent {
  Recurrence cell;
  void fields(auto& v) { v("cell", cell); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> vjp(const Pull& p) const;
  std::optional<Batched> vmap(const Batch& b) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

// The inputs of Recurrent, its outputs, their cotangents -> the cotangents of its inputs.
struct RecurrentVJP {
  Recurrence cell;
  void fields(auto& v) { v("cell", cell); }
  void check(const Arrays& in) const;
  Avals infer(const Arrays& in) const;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const;
};

}  // namespace heddle
