// Recurrent cells stepped through time, and their gradients, in float32. All views are dense,
// row-major; the threads share the hidden units of each step.
#pragma once

#include <cstdint>

#include "core/recurrence.h"

namespace heddle::cpu {

struct RecurrentSizes {
  Recurrence cell;
  int64_t batch, time, hidden;
  int64_t gates() const { return gates_of(cell) * hidden; }
};

// x (B, T, gates), wh (gates, H), h0 (B, H); extra: c0 (B, H) of an LSTM, the bias (H) of a GRU's
// n. Writes hidden and, for an LSTM, cells (B, T, H).
struct RecurrentForward {
  RecurrentSizes sizes;
  const float *x, *wh, *h0, *extra;
  float *hidden, *cells;
};
void recurrent(const RecurrentForward &work);

// The recurrent part of the gates' cotangents. `sums` (B, T, gates) holds what the activations were
// applied to; a GRU's holds x there and `own` (B, T, gates) = wh h + bias, which its n needs apart.
// Writes g_x (B, T, gates), a GRU's g_own likewise (else g_own = g_x), and the cotangents of the
// initial states (B, H); g_cells and g_c0 are an LSTM's.
struct RecurrentBackward {
  RecurrentSizes sizes;
  const float *sums, *own, *wh, *h0, *c0, *hidden, *cells, *g_hidden, *g_cells;
  float *g_x, *g_own, *g_h0, *g_c0;
};
void recurrent_vjp(const RecurrentBackward &work);

}  // namespace heddle::cpu
