#include "cpu/recurrent.h"

#include <algorithm>
#include <cstring>

#include "core/team.h"
#include "cpu/scratch.h"
#include "cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recurrent.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/matrix_blocks-inl.h"
#include "cpu/tile/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heddle::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// A panel of weights holds `vectors` vectors of columns for every k. Sums of this many rows and one
// panel stay in registers.
template <int vectors>
constexpr int rows_at_once() {
  return HWY_TARGET <= HWY_AVX3 ? 24 / vectors : vectors == 4 ? 2 : 4;
}
constexpr int plain_vectors = 4;  // of panels whose columns have no structure

int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

// The first n of a vector's lanes, or all.
HWY_INLINE V load(const float* p, int64_t n) {
  const D d;
  if (n >= lanes()) return hn::LoadU(d, p);
  HWY_ALIGN float some[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy(p, p + n, some);
  return hn::Load(d, some);
}
HWY_INLINE void store(V v, float* p, int64_t n) {
  const D d;
  if (n >= lanes()) {
    hn::StoreU(v, d, p);
    return;
  }
  HWY_ALIGN float all[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(v, d, all);
  std::copy(all, all + n, p);
}

// --- products with panels
// ---------------------------------------------------------------------------------------------

// Panels `first` to `last` - 1 of the transposed wh: vector v of panel p has the rows of gate v for
// the units p * lanes and on; with one gate, of the units (p * vectors + v) * lanes and on.
template <int vectors>
void pack_gates(const float* wh, int64_t hidden, int64_t gates, int64_t first, int64_t last,
                float* packed) {
  const int64_t L = lanes();
  for (int64_t p = first; p < last; p++) {
    for (int v = 0; v < vectors; v++) {
      const int64_t unit = gates == 1 ? (p * vectors + v) * L : p * L;
      const int64_t n = std::clamp<int64_t>(hidden - unit, 0, L);
      const float* rows = wh + ((gates == 1 ? 0 : v) * hidden + unit) * hidden;
      float* to = packed + (p * hidden * vectors + v) * L;
      // Blocks of k, so that the cache lines of all rows are used up while they are near.
      for (int64_t k0 = 0; k0 < hidden; k0 += 16) {
        const int64_t k1 = std::min<int64_t>(hidden, k0 + 16);
        for (int64_t k = k0; k < k1; k++) {
          float* line = to + k * vectors * L;
          for (int64_t i = 0; i < n; i++) line[i] = rows[i * hidden + k];
          for (int64_t i = n; i < L; i++) line[i] = 0;
        }
      }
    }
  }
}

// Panels of wh as it is, (K, columns).
void pack_columns(const float* wh, int64_t K, int64_t columns, int64_t first, int64_t last,
                  float* packed) {
  const int64_t width = plain_vectors * lanes();
  for (int64_t p = first; p < last; p++) {
    const int64_t n = std::min(width, columns - p * width);
    for (int64_t k = 0; k < K; k++) {
      float* line = packed + (p * K + k) * width;
      std::memcpy(line, wh + k * columns + p * width, static_cast<size_t>(n) * sizeof(float));
      std::memset(line + n, 0, static_cast<size_t>(width - n) * sizeof(float));
    }
  }
}

// `n` rows from r on, at most `most`, of multiply_panel.
template <int most, int vectors, class Apply>
HWY_INLINE void multiply_rows(int64_t n, int64_t r, int64_t K, const float* a, int64_t row_stride,
                              const float* panel, float* sums, Apply&& apply) {
  if constexpr (most > 1) {
    if (n < most) {
      return multiply_rows<most - 1, vectors>(n, r, K, a, row_stride, panel, sums, apply);
    }
  }
  multiply_block<most, vectors>(D(), K, a + r * row_stride, row_stride, 1, panel, sums);
  for (int i = 0; i < most; i++) apply(r + i, sums + i * vectors * lanes());
}

// Calls apply(row, sums) for `rows` rows of a times the panel; sums are `vectors` vectors. Rows are
// taken in equal numbers: a few left over would use the panel, which does not fit into the
// first-level cache, for as long as the others (an LSTM of 16 rows a thread: 9.4 ms instead
// of 8.2).
template <int vectors, class Apply>
HWY_INLINE void multiply_panel(int64_t rows, int64_t K, const float* a, int64_t row_stride,
                               const float* panel, Apply&& apply) {
  constexpr int block = rows_at_once<vectors>();
  HWY_ALIGN float sums[block * vectors * HWY_MAX_BYTES / sizeof(float)];
  const int64_t parts = (rows + block - 1) / block;
  for (int64_t i = 0; i < parts; i++) {
    const int64_t r = rows * i / parts, n = rows * (i + 1) / parts - r;
    multiply_rows<block, vectors>(n, r, K, a, row_stride, panel, sums, apply);
  }
}

// What of each step a thread of the team computes: where there are many rows, some of them, and it
// never waits for the others; else all rows of some panels.
struct Share {
  int64_t first, last;
};
Share share_of(const Team& team, int64_t count) {
  return {count * team.rank / team.size, count * (team.rank + 1) / team.size};
}
struct Part {
  Share rows, panels;
  bool waits;
};
Part part_of(const Team& team, int64_t batch, int64_t panels) {
  constexpr int64_t enough_rows = 8;  // that every panel is used for from the cache
  if (batch >= enough_rows * team.size) return {share_of(team, batch), {0, panels}, false};
  return {{0, batch}, share_of(team, panels), team.size > 1};
}

// --- forward
// ---------------------------------------------------------------------------------------------

template <Recurrence cell>
HWY_INLINE void finish_unit(const RecurrentForward& w, int64_t b, int64_t t, int64_t unit,
                            const float* sums) {
  const D d;
  namespace m = tile::HWY_NAMESPACE;
  const int64_t H = w.sizes.hidden, T = w.sizes.time, L = lanes(), n = H - unit;
  const float* x = w.x + (b * T + t) * w.sizes.gates() + unit;
  float* out = w.hidden + (b * T + t) * H + unit;
  auto gate = [&](int g)
                  HWY_ATTR { return hn::Add(load(x + g * H, n), hn::Load(d, sums + g * L)); };
  if constexpr (cell == Recurrence::lstm) {
    const float* before = t ? w.cells + (b * T + t - 1) * H + unit : w.extra + b * H + unit;
    const V i = m::sigmoid(d, gate(0)), f = m::sigmoid(d, gate(1));
    const V g = m::tanh(d, gate(2)), o = m::sigmoid(d, gate(3));
    const V c = hn::MulAdd(f, load(before, n), hn::Mul(i, g));
    store(c, w.cells + (b * T + t) * H + unit, n);
    store(hn::Mul(o, m::tanh(d, c)), out, n);
  } else {
    const float* before = t ? out - H : w.h0 + b * H + unit;
    const V r = m::sigmoid(d, gate(0)), z = m::sigmoid(d, gate(1));
    const V own = hn::Add(hn::Load(d, sums + 2 * L), load(w.extra + unit, n));
    const V candidate = m::tanh(d, hn::MulAdd(r, own, load(x + 2 * H, n)));
    store(hn::MulAdd(z, hn::Sub(load(before, n), candidate), candidate), out, n);
  }
}

template <Recurrence cell>
HWY_INLINE void finish_plain(const RecurrentForward& w, int64_t b, int64_t t, int64_t unit,
                             const float* sums) {
  const D d;
  namespace m = tile::HWY_NAMESPACE;
  const int64_t H = w.sizes.hidden, at = (b * w.sizes.time + t) * H;
  for (int v = 0; v < plain_vectors && unit < H; v++, unit += lanes()) {
    const int64_t n = H - unit;
    const V sum = hn::Add(load(w.x + at + unit, n), hn::Load(d, sums + v * lanes()));
    store(cell == Recurrence::rnn_tanh ? m::tanh(d, sum)
                                       : hn::IfThenElse(hn::Lt(sum, hn::Zero(d)), hn::Zero(d), sum),
          w.hidden + at + unit, n);
  }
}

template <Recurrence cell>
void steps(const RecurrentForward& w, float* packed, const Team& team) {
  constexpr int gates = gates_of(cell), vectors = gates == 1 ? plain_vectors : gates;
  const int64_t H = w.sizes.hidden, T = w.sizes.time, L = lanes();
  const int64_t units = gates == 1 ? vectors * L : L, panels = (H + units - 1) / units;
  const Share mine = share_of(team, panels);
  pack_gates<vectors>(w.wh, H, gates, mine.first, mine.last, packed);
  team.wait();
  const Part part = part_of(team, w.sizes.batch, panels);
  const int64_t row = part.rows.first, rows = part.rows.last - row;
  for (int64_t t = 0; t < T; t++) {
    const float* h = t ? w.hidden + (t - 1) * H : w.h0;
    const int64_t stride = t ? T * H : H;
    for (int64_t panel = part.panels.first; panel < part.panels.last; panel++) {
      auto finish = [&](int64_t r, const float* sums) HWY_ATTR {
        if constexpr (gates == 1) {
          finish_plain<cell>(w, row + r, t, panel * units, sums);
        } else {
          finish_unit<cell>(w, row + r, t, panel * units, sums);
        }
      };
      multiply_panel<vectors>(rows, H, h + row * stride, stride, packed + panel * H * vectors * L,
                              finish);
    }
    if (part.waits) team.wait();
  }
}

// --- backward
// ---------------------------------------------------------------------------------------------

HWY_INLINE V sigmoid_slope(V g, V y) {  // g y (1 - y)
  return hn::Mul(g, hn::NegMulAdd(y, y, y));
}
HWY_INLINE V tanh_slope(V g, V y) {  // g (1 - y^2)
  return hn::NegMulAdd(hn::Mul(g, y), y, g);
}

// One vector of units of one row at step t: from the cotangents of the states to those of the
// gates. g_h0 and g_c0 hold what comes from the step after. What a GRU's state gets directly stays
// there.
template <Recurrence cell>
HWY_INLINE void gates_backward(const RecurrentBackward& w, int64_t b, int64_t t, int64_t unit) {
  const D d;
  namespace m = tile::HWY_NAMESPACE;
  const int64_t H = w.sizes.hidden, T = w.sizes.time, n = H - unit;
  const int64_t state = (b * T + t) * H + unit, gate = (b * T + t) * w.sizes.gates() + unit;
  float* carried = w.g_h0 + b * H + unit;
  const V g = hn::Add(load(w.g_hidden + state, n), load(carried, n));
  if constexpr (cell == Recurrence::lstm) {
    float* carried_cell = w.g_c0 + b * H + unit;
    const float* before = t ? w.cells + state - H : w.c0 + b * H + unit;
    const V i = m::sigmoid(d, load(w.sums + gate, n)),
            f = m::sigmoid(d, load(w.sums + gate + H, n));
    const V c = m::tanh(d, load(w.sums + gate + 2 * H, n));
    const V o = m::sigmoid(d, load(w.sums + gate + 3 * H, n));
    const V y = m::tanh(d, load(w.cells + state, n));
    const V from_cells = hn::Add(load(w.g_cells + state, n), load(carried_cell, n));
    const V g_cell = hn::Add(from_cells, tanh_slope(hn::Mul(g, o), y));
    store(sigmoid_slope(hn::Mul(g_cell, c), i), w.g_x + gate, n);
    store(sigmoid_slope(hn::Mul(g_cell, load(before, n)), f), w.g_x + gate + H, n);
    store(tanh_slope(hn::Mul(g_cell, i), c), w.g_x + gate + 2 * H, n);
    store(sigmoid_slope(hn::Mul(g, y), o), w.g_x + gate + 3 * H, n);
    store(hn::Mul(g_cell, f), carried_cell, n);
  } else if constexpr (cell == Recurrence::gru) {
    const float* before = t ? w.hidden + state - H : w.h0 + b * H + unit;
    auto sum = [&](int k) HWY_ATTR {
      return hn::Add(load(w.sums + gate + k * H, n), load(w.own + gate + k * H, n));
    };
    const V r = m::sigmoid(d, sum(0)), z = m::sigmoid(d, sum(1));
    const V own = load(w.own + gate + 2 * H, n);
    const V candidate = m::tanh(d, hn::MulAdd(r, own, load(w.sums + gate + 2 * H, n)));
    const V g_n = tanh_slope(hn::NegMulAdd(g, z, g), candidate);
    const V g_r = sigmoid_slope(hn::Mul(g_n, own), r);
    const V g_z = sigmoid_slope(hn::Mul(g, hn::Sub(load(before, n), candidate)), z);
    for (float* to : {w.g_x, w.g_own}) {
      store(g_r, to + gate, n);
      store(g_z, to + gate + H, n);
    }
    store(g_n, w.g_x + gate + 2 * H, n);
    store(hn::Mul(g_n, r), w.g_own + gate + 2 * H, n);
    store(hn::Mul(g, z), carried, n);
  } else {
    const V y = load(w.hidden + state, n);
    store(cell == Recurrence::rnn_tanh ? tanh_slope(g, y)
                                       : hn::IfThenElseZero(hn::Gt(y, hn::Zero(d)), g),
          w.g_x + gate, n);
  }
}

template <Recurrence cell>
void steps_backward(const RecurrentBackward& w, float* packed, const Team& team) {
  const D d;
  const int64_t H = w.sizes.hidden, T = w.sizes.time, B = w.sizes.batch, G = w.sizes.gates();
  const int64_t L = lanes(), width = plain_vectors * L, panels = (H + width - 1) / width;
  const Share mine = share_of(team, panels);
  pack_columns(w.wh, G, H, mine.first, mine.last, packed);
  team.wait();
  const Part part = part_of(team, B, panels);
  const int64_t row = part.rows.first, rows = part.rows.last - row, vectors = (H + L - 1) / L;
  // The gates of a step: by rows as well, or by units.
  const Share units = part.waits ? share_of(team, vectors) : Share{0, vectors};
  for (int64_t t = T - 1; t >= 0; t--) {
    for (int64_t b = row; b < part.rows.last; b++) {
      for (int64_t v = units.first; v < units.last; v++) gates_backward<cell>(w, b, t, v * L);
    }
    if (part.waits) team.wait();
    for (int64_t panel = part.panels.first; panel < part.panels.last; panel++) {
      auto add_to_state = [&](int64_t r, const float* sums) HWY_ATTR {
        float* to = w.g_h0 + (row + r) * H;
        int64_t unit = panel * width;
        for (int v = 0; v < plain_vectors && unit < H; v++, unit += L) {
          V sum = hn::Load(d, sums + v * L);
          if constexpr (cell == Recurrence::gru) sum = hn::Add(sum, load(to + unit, H - unit));
          store(sum, to + unit, H - unit);
        }
      };
      multiply_panel<plain_vectors>(rows, G, w.g_own + (row * T + t) * G, T * G,
                                    packed + panel * G * width, add_to_state);
    }
    if (part.waits) team.wait();
  }
}

void forward(const RecurrentForward& w, float* packed, const Team& team) {
  switch (w.sizes.cell) {
    case Recurrence::rnn_tanh:
      return steps<Recurrence::rnn_tanh>(w, packed, team);
    case Recurrence::rnn_relu:
      return steps<Recurrence::rnn_relu>(w, packed, team);
    case Recurrence::gru:
      return steps<Recurrence::gru>(w, packed, team);
    case Recurrence::lstm:
      return steps<Recurrence::lstm>(w, packed, team);
  }
}

void backward(const RecurrentBackward& w, float* packed, const Team& team) {
  switch (w.sizes.cell) {
    case Recurrence::rnn_tanh:
      return steps_backward<Recurrence::rnn_tanh>(w, packed, team);
    case Recurrence::rnn_relu:
      return steps_backward<Recurrence::rnn_relu>(w, packed, team);
    case Recurrence::gru:
      return steps_backward<Recurrence::gru>(w, packed, team);
    case Recurrence::lstm:
      return steps_backward<Recurrence::lstm>(w, packed, team);
  }
}

// The hidden units, rounded up to whole panels of either kind.
int64_t padded_hidden(int64_t hidden) {
  const int64_t width = plain_vectors * lanes();
  return (hidden + width - 1) / width * width;
}

}  // namespace
}  // namespace heddle::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heddle::cpu {

HWY_EXPORT(forward);
HWY_EXPORT(backward);
HWY_EXPORT(padded_hidden);

namespace {

// Multiplications of one step below which waiting for each other costs threads more than they gain.
constexpr int64_t team_grain = 1 << 16;

int team_size(const RecurrentSizes& s) {
  return static_cast<int>(std::min<int64_t>(256, s.batch * s.gates() * s.hidden / team_grain + 1));
}

size_t packed_bytes(const RecurrentSizes& s) {
  int64_t padded = HWY_DYNAMIC_DISPATCH(padded_hidden)(s.hidden);
  return static_cast<size_t>(gates_of(s.cell) * s.hidden * padded) * sizeof(float);
}

}  // namespace

void recurrent(const RecurrentForward& work) {
  Scratch packed(packed_bytes(work.sizes));
  auto kernel = HWY_DYNAMIC_DISPATCH(forward);
  parallel_team(team_size(work.sizes),
                [&](const Team& team) { kernel(work, packed.as<float>(), team); });
}

void recurrent_vjp(const RecurrentBackward& work) {
  Scratch packed(packed_bytes(work.sizes));
  auto kernel = HWY_DYNAMIC_DISPATCH(backward);
  parallel_team(team_size(work.sizes),
                [&](const Team& team) { kernel(work, packed.as<float>(), team); });
}

}  // namespace heddle::cpu
#endif
