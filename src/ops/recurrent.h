// Recurrent cells stepped through time. The input's part of the gates is computed before, for all
// steps at once.
#pragma once

#include "core/op.h"
#include "core/recurrence.h"

namespace heddle {

// x (B, T, gates * H), wh (gates * H, H), h0 (B, H)[, the initial cell (B, H) of an LSTM, the bias
// (H) of a GRU's n] -> the hidden states (B, T, H)[, the cells of an LSTM]. One dtype, float32 or
// float64; T >= 1.
class Recurrent final : public OpClass<Recurrent> {
 public:
  static constexpr const char* name = "Recurrent";
  Recurrence cell;
  explicit Recurrent(Recurrence c) : cell(c) {}
  template <class V>
  void attributes(V& v) const {
    v("cell", cell);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> vjp(const Arrays&, const Arrays&, const std::vector<int>&,
                            const Arrays&) const override;
  std::optional<Batched> vmap(const Arrays&, const std::vector<int>&, const Stream&) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

// The inputs of Recurrent, its outputs, their cotangents -> the cotangents of its inputs.
class RecurrentVJP final : public OpClass<RecurrentVJP> {
 public:
  static constexpr const char* name = "RecurrentVJP";
  Recurrence cell;
  explicit RecurrentVJP(Recurrence c) : cell(c) {}
  template <class V>
  void attributes(V& v) const {
    v("cell", cell);
  }
  void check(const Arrays& in) const override;
  Avals infer(const Arrays& in) const override;
  std::optional<Arrays> decompose(const Arrays&, const Stream&) const override;
  bool follows_shapes() const override { return true; }
};

}  // namespace heddle
