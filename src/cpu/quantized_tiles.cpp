// The matrix is restored panel by panel into the first-level cache and multiplied there with x,
// which is packed once for the tiles: out^T = m x^T.
#include "cpu/quantized_tiles.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "core/threads.h"
#include "cpu/dnnl.h"
#include "cpu/scratch.h"

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
// gcc 12 warns of the undefined vectors in its own header (gcc bug 105593).
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

// For functions that use the instructions of machines with AMX; lambdas do not inherit it.
#define HEDDLE_AMX \
  __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

namespace heddle::cpu {
namespace {

constexpr int64_t item = 2;           // bytes of a bfloat16
constexpr int64_t side = 16;          // rows of a tile
constexpr int64_t tile_bytes = 1024;  // rows of 64 bytes
constexpr int64_t chunk = 32;         // elements along K in a tile
constexpr int64_t unit = 128;         // elements along K that are restored at a time
constexpr int64_t height = 2 * side;  // of a panel
// A panel of 32 KB stays in the first-level cache, and sums do not leave the tiles often.
constexpr int64_t depth = 512;
constexpr int64_t panel_stride = (depth + chunk) * item;

// ---------------------------------------------------------------------------------------------
// restoring

// Elements along K may be in any order that both operands have. Nibbles are restored fastest in
// this one: a word of 16 bits holds four; the first of 32 words make a chunk, the second the next.
enum class Order : uint8_t { natural, by_nibble };

// Elements [first, first + n) of a row, and zeros up to a multiple of `unit`.
using Restore = void (*)(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, char* to);

void restore_any(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n, char* to) {
  dequantize_run(m, row, first, n, Dtype::bfloat16, Rounding::once, to);
  std::memset(to + n * item, 0, static_cast<size_t>((unit - n % unit) % unit * item));
}

// Those of 16 bfloat16 that are wanted as floats, the others as zero.
HEDDLE_AMX inline void widen(const void* values, int64_t first, __mmask16 wanted, float* to) {
  const __m256i v = _mm256_maskz_loadu_epi16(wanted, static_cast<const uint16_t*>(values) + first);
  _mm512_store_si512(to, _mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

// The 16 values that a group can have.
HEDDLE_AMX inline __m512 values_of(const float* scale, const float* bias) {
  const __m512 codes = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_fmadd_ps(codes, _mm512_set1_ps(*scale), _mm512_set1_ps(*bias));
}

HEDDLE_AMX inline __m512i rounded(__m512 low, __m512 high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

using Words = std::array<uint16_t, 32>;
template <class F>
constexpr Words each_word(F f) {
  Words words{};
  for (int i = 0; i < 32; i++) words[static_cast<size_t>(i)] = static_cast<uint16_t>(f(i));
  return words;
}

// 4 bits, affine, bfloat16 scales: nibbles are looked up among the values of their group, which are
// rounded once. The groups of a unit have their tables one behind the other, so that a word's lane
// says which is its own. 13 cycles for 128 elements. What is too small for a normal number becomes
// zero here; the tiles would take it for that.
template <int group>
HEDDLE_AMX void restore_nibbles(const QuantizedMatrix& m, int64_t row, int64_t first, int64_t n,
                                char* to) {
  alignas(64) static constexpr Words table_of_word =
      each_word([](int i) { return 4 * i / group * 16; });
  const __m512i table = _mm512_load_si512(table_of_word.data());
  const __m512i nibble = _mm512_set1_epi16(15);
  alignas(64) float scales[depth / 32], biases[depth / 32];
  const int64_t first_group = (row * m.columns + first) / group;
  const auto groups = static_cast<__mmask16>((1u << (n / group)) - 1);
  widen(m.scales, first_group, groups, scales);
  widen(m.biases, first_group, groups, biases);
  const float *scale = scales, *bias = biases;
  const char* from = reinterpret_cast<const char*>(m.words) + (row * m.columns + first) / 2;
  for (int64_t k = 0; k < n; k += unit, from += unit / 2) {
    const int64_t words = std::min(unit, n - k) / 8;
    __m512i codes = _mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << words) - 1), from);
    const __m512 values = values_of(scale, bias);
    const __m512i low = rounded(values, group == unit ? values : values_of(scale + 1, bias + 1));
    __m512i high = low;
    if constexpr (group == 32) {
      high = rounded(values_of(scale + 2, bias + 2), values_of(scale + 3, bias + 3));
    }
    scale += unit / group, bias += unit / group;
    for (int64_t i = 0; i < unit / chunk; i++, to += chunk * item) {
      constexpr int and_or = 0xea;  // (a & b) | c
      const __m512i at = _mm512_ternarylogic_epi32(codes, nibble, table, and_or);
      _mm512_storeu_si512(to, group == 32 ? _mm512_permutex2var_epi16(low, at, high)
                                          : _mm512_permutexvar_epi16(at, low));
      codes = _mm512_srli_epi16(codes, 4);
    }
  }
}

Restore restore_of(const QuantizedMatrix& m) {
  if (!m.format.affine() || m.format.bits != 4 || m.dtype != Dtype::bfloat16) return restore_any;
  switch (m.format.group_size) {
    case 32:
      return restore_nibbles<32>;
    case 64:
      return restore_nibbles<64>;
    case 128:
      return restore_nibbles<128>;
    default:
      return restore_any;
  }
}

// ---------------------------------------------------------------------------------------------
// x

// Packed, x is a sequence of tiles: for every `depth` along K, for two blocks of 16 rows (the last
// may be alone), those of one chunk after the other. A tile has a row for each pair of elements
// along K and a column for each row of x. Beyond x there are zeros.
struct Packed {
  const char* x;
  int64_t rows, columns;
  Order order;
  char* tiles = nullptr;

  int64_t blocks() const { return (rows + side - 1) / side; }
  int64_t units() const { return (columns + unit - 1) / unit; }
  int64_t chunks() const { return units() * (unit / chunk); }
  int64_t bytes() const { return blocks() * chunks() * tile_bytes; }
  // How many blocks stand together where this one is.
  int64_t together(int64_t block) const { return (block | 1) < blocks() ? 2 : 1; }
  char* tile(int64_t block, int64_t at) const {
    constexpr int64_t step = depth / chunk;
    const int64_t pair = block & ~int64_t{1}, begin = at / step * step;
    const int64_t before = begin * blocks() + pair * std::min(step, chunks() - begin);
    return tiles + (before + (at - begin) * together(block) + (block - pair)) * tile_bytes;
  }
};

// v[i][j] and v[j][i] change places: bit by bit of i and j.
HEDDLE_AMX inline void transpose(__m512i (&v)[side]) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#pragma GCC unroll 4
  for (int bit = 8; bit > 0; bit /= 2) {
    const __m512i step = _mm512_set1_epi32(bit), second = _mm512_set1_epi32(side);
    const __mmask16 set = _mm512_test_epi32_mask(lane, step);
    const __m512i in_second = _mm512_add_epi32(lane, second);
    const __m512i lows = _mm512_mask_sub_epi32(lane, set, in_second, step);
    const __m512i highs = _mm512_mask_mov_epi32(_mm512_add_epi32(lane, step), set, in_second);
#pragma GCC unroll 16
    for (int i = 0; i < side; i++) {
      if (i & bit) continue;
      const __m512i a = v[i], b = v[i + bit];
      v[i] = _mm512_permutex2var_epi32(a, lows, b);
      v[i + bit] = _mm512_permutex2var_epi32(a, highs, b);
    }
  }
}

// A unit from the natural order to that of nibbles.
HEDDLE_AMX inline void order_by_nibble(__m512i (&v)[unit / chunk]) {
  alignas(64) static constexpr Words first_two =
      each_word([](int i) { return i % 16 * 4 + i / 16; });
  alignas(64) static constexpr Words last_two =
      each_word([](int i) { return i % 16 * 4 + i / 16 + 2; });
  const __m512i first = _mm512_load_si512(first_two.data());
  const __m512i last = _mm512_load_si512(last_two.data());
  const __m512i a = _mm512_permutex2var_epi16(v[0], first, v[1]);
  const __m512i b = _mm512_permutex2var_epi16(v[2], first, v[3]);
  const __m512i c = _mm512_permutex2var_epi16(v[0], last, v[1]);
  const __m512i d = _mm512_permutex2var_epi16(v[2], last, v[3]);
  constexpr int low_halves = 0x44, high_halves = 0xee;
  v[0] = _mm512_shuffle_i64x2(a, b, low_halves);
  v[1] = _mm512_shuffle_i64x2(a, b, high_halves);
  v[2] = _mm512_shuffle_i64x2(c, d, low_halves);
  v[3] = _mm512_shuffle_i64x2(c, d, high_halves);
}

HEDDLE_AMX void pack(const Packed& p, int64_t block, int64_t at) {
  __m512i chunks[unit / chunk][side];
  for (int64_t r = 0; r < side; r++) {
    const int64_t row = block * side + r;
    __m512i v[unit / chunk];
    for (int64_t c = 0; c < unit / chunk; c++) {
      const int64_t first = at * unit + c * chunk;
      const int64_t n = row < p.rows ? std::clamp<int64_t>(p.columns - first, 0, chunk) : 0;
      const auto wanted = static_cast<__mmask32>((uint64_t{1} << n) - 1);
      v[c] = _mm512_maskz_loadu_epi16(wanted, p.x + (row * p.columns + first) * item);
    }
    if (p.order == Order::by_nibble) order_by_nibble(v);
    for (int64_t c = 0; c < unit / chunk; c++) chunks[c][r] = v[c];
  }
  for (int64_t c = 0; c < unit / chunk; c++) {
    transpose(chunks[c]);
    char* to = p.tile(block, at * (unit / chunk) + c);
    for (int64_t r = 0; r < side; r++) _mm512_store_si512(to + r * 64, chunks[c][r]);
  }
}

// ---------------------------------------------------------------------------------------------
// the product

// Where a panel of 32 rows and `depth` columns begins.
struct Place {
  int64_t panel, k;
};

// Restores the panel at a place row by row, amid the multiplication of the one before, and fetches
// what the panel after it is made of. With 128 rows this takes one core 4.5 ms where restoring and
// multiplying in turn took 4.6 to 4.9, and 5.4 to 6.2 instead of 7.2 right after a pause or other
// work (with a matrix that is in the cache already, 64 rows lose: 2.7 ms instead of 2.4).
class Restoring {
 public:
  // As many calls of step() as `steps` says, or one of all(), restore everything.
  Restoring(const QuantizedMatrix& m, Restore restore, Place at, Place after, char* to,
            int64_t steps)
      : m_(m), restore_(restore), at_(at), after_(after), to_(to), steps_(steps) {}

  void step() {
    for (due_ += height; due_ >= steps_; due_ -= steps_) next_row();
  }
  void all() {
    while (row_ < height) next_row();
  }

 private:
  void next_row() {
    const int64_t row = at_.panel * height + row_, fetched = after_.panel * height + row_;
    if (row < m_.rows) {
      restore_(m_, row, at_.k, std::min(depth, m_.columns - at_.k), to_ + row_ * panel_stride);
    }
    if (fetched < m_.rows) prefetch(fetched);
    row_++;
  }

  void prefetch(int64_t row) const {
    constexpr int64_t line = 64;
    const int64_t at = row * m_.columns + after_.k, group = at / m_.format.group_size;
    const char* words = reinterpret_cast<const char*>(m_.words) + at * m_.format.bits / 8;
    const int64_t bytes = std::min(depth, m_.columns - after_.k) * m_.format.bits / 8;
    for (int64_t i = 0; i < bytes; i += line) _mm_prefetch(words + i, _MM_HINT_T1);
    if (!m_.format.affine()) return;
    const int64_t scale = group * static_cast<int64_t>(size_of(m_.dtype));
    _mm_prefetch(static_cast<const char*>(m_.scales) + scale, _MM_HINT_T1);
    _mm_prefetch(static_cast<const char*>(m_.biases) + scale, _MM_HINT_T1);
  }

  const QuantizedMatrix& m_;
  Restore restore_;
  Place at_, after_;
  char* to_;
  int64_t steps_, due_ = 0, row_ = 0;
};

struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {side, side, side, side, side, side, side, side};
};

// Adds the product of a panel with one or two blocks of x to their sums, or begins them. The sums
// of a block are two tiles, transposed. x passes by once for each panel: its tiles are loaded with
// the hint that leaves the first-level cache to the panel (a product of tiles, 16 cycles, takes a
// third more without it).
template <int blocks>
HEDDLE_AMX void multiply(const char* panel, const char* x, int64_t chunks, bool begin, char* sums,
                         Restoring& ahead) {
  // The compiler does not know that tiles are read from memory.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (begin) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (blocks == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
  } else {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + tile_bytes, 64);
    if constexpr (blocks == 2) {
      _tile_loadd(2, sums + 2 * tile_bytes, 64);
      _tile_loadd(3, sums + 3 * tile_bytes, 64);
    }
  }
  for (int64_t c = 0; c < chunks; c++, panel += chunk * item, x += blocks * tile_bytes) {
    ahead.step();
    _tile_stream_loadd(6, x, 64);
    _tile_loadd(4, panel, panel_stride);
    _tile_loadd(5, panel + side * panel_stride, panel_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 5, 6);
    if constexpr (blocks == 2) {
      _tile_stream_loadd(7, x + tile_bytes, 64);
      _tile_dpbf16ps(2, 4, 7);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + tile_bytes, 64);
  if constexpr (blocks == 2) {
    _tile_stored(2, sums + 2 * tile_bytes, 64);
    _tile_stored(3, sums + 3 * tile_bytes, 64);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

// The sums of a block as rows of 32 results, of which `columns` exist.
HEDDLE_AMX void finish(const char* sums, int64_t rows, int64_t columns, int64_t stride, char* out) {
  __m512i low[side], high[side];
  for (int64_t i = 0; i < side; i++) {
    low[i] = _mm512_load_si512(sums + i * 64);
    high[i] = _mm512_load_si512(sums + tile_bytes + i * 64);
  }
  transpose(low);
  transpose(high);
  const auto wanted = static_cast<__mmask32>((uint64_t{1} << columns) - 1);
  for (int64_t i = 0; i < rows; i++) {
    const __m512i results = rounded(_mm512_castsi512_ps(low[i]), _mm512_castsi512_ps(high[i]));
    _mm512_mask_storeu_epi16(out + i * stride * item, wanted, results);
  }
}

struct Product {
  const QuantizedMatrix& m;
  Restore restore;
  Packed x;
  char* out;
  int64_t span;  // elements along K, a multiple of `depth`

  int64_t sums_bytes() const { return x.blocks() * 2 * tile_bytes; }

  // Panels [begin, end) are worked through span by span, so that of x a span stays in the cache.
  Place after(Place at, int64_t begin, int64_t end) const {
    const int64_t k = at.k + depth;
    if (k % span != 0 && k < m.columns) return {at.panel, k};
    if (at.panel + 1 < end) return {at.panel + 1, at.k / span * span};
    return k < m.columns ? Place{begin, k} : Place{end, 0};
  }

  // `panels` has room for two panels, `sums` for the sums of all.
  HEDDLE_AMX void compute(int64_t begin, int64_t end, char* panels, char* sums) const {
    static constexpr TileShapes shapes;
    _tile_loadconfig(&shapes);
    char *panel = panels, *other = panels + height * panel_stride;
    Place at{begin, 0}, next = after(at, begin, end);
    Restoring(m, restore, at, next, panel, 1).all();
    while (at.panel < end) {
      const int64_t first = at.k / chunk, chunks = std::min(depth / chunk, x.chunks() - first);
      // The next call begins with the place after the last one here: that is fetched, not restored.
      const bool last = next.panel == end;
      const Place nowhere{(m.rows + height - 1) / height, 0};
      const Place fetched = last ? next : after(next, begin, end);
      const int64_t steps = (x.blocks() + 1) / 2 * chunks;
      Restoring ahead(m, restore, last ? nowhere : next, fetched, other, steps);
      char* const to = sums + (at.panel - begin) * sums_bytes();
      for (int64_t b = 0; b < x.blocks(); b += 2) {
        (x.together(b) == 2 ? multiply<2> : multiply<1>)(panel, x.tile(b, first), chunks, at.k == 0,
                                                         to + b * 2 * tile_bytes, ahead);
      }
      if (at.k + depth >= m.columns) store(at.panel, to);
      at = next, next = fetched;
      std::swap(panel, other);
    }
    _tile_release();
  }

  void store(int64_t panel, const char* sums) const {
    const int64_t column = panel * height;
    for (int64_t b = 0; b < x.blocks(); b++) {
      finish(sums + b * 2 * tile_bytes, std::min(side, x.rows - b * side),
             std::min(height, m.rows - column), m.rows, out + (b * side * m.rows + column) * item);
    }
  }
};

// Linux lets a process use tiles when it asks for them; asking again does no harm.
bool may_use_tiles() {
  constexpr int ask_for_state = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return onednn::has_amx() && syscall(SYS_arch_prctl, ask_for_state, tile_data) == 0;
}

}  // namespace

bool quantized_product_in_tiles(const void* x, int64_t M, const QuantizedMatrix& m, void* out) {
  static const bool usable = may_use_tiles();
  const Restore restore = restore_of(m);
  // Restoring other formats takes most of the time for few rows, and is faster row by row.
  constexpr int64_t few_rows = 64;
  if (!usable || (restore == restore_any && M <= few_rows)) return false;
  const Order order = restore == restore_any ? Order::natural : Order::by_nibble;
  const int64_t panels = (m.rows + height - 1) / height;
  // The sums of more rows of x would not stay in the second-level cache.
  constexpr int64_t most_rows = 512;
  const int64_t parts = (M + most_rows - 1) / most_rows;
  const int64_t part = ((M + parts - 1) / parts + height - 1) / height * height;
  for (int64_t first = 0; first < M; first += part) {
    Packed packed{static_cast<const char*>(x) + first * m.columns * item, std::min(part, M - first),
                  m.columns, order};
    const Scratch tiles(static_cast<size_t>(packed.bytes()));
    packed.tiles = tiles.as<char>();
    parallel_for(packed.blocks() * packed.units(), parallel_grain / (side * unit),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i++) {
                     pack(packed, i / packed.units(), i % packed.units());
                   }
                 });
    // Where x as a whole does not stay in the second-level cache, panels share a span of it: many,
    // because fetching it takes long, but not all, because their sums shall stay there too.
    constexpr int64_t cached = 5 << 18, span_bytes = 1 << 19, most_together = 16;
    const bool whole = packed.bytes() <= cached;
    const int64_t steps =
        whole ? packed.units() : span_bytes / (packed.blocks() * side * depth * item);
    const int64_t span = std::max<int64_t>(1, steps) * depth;
    const Product product{m, restore, packed, static_cast<char*>(out) + first * m.rows * item,
                          span};
    const int64_t grain = std::max<int64_t>(1, 2 * parallel_grain / (height * m.columns));
    parallel_for(panels, grain, [&](int64_t begin, int64_t end) {
      const int64_t together = whole ? 1 : std::min(most_together, end - begin);
      // Rows beyond the matrix are multiplied, too.
      const Scratch two_panels(static_cast<size_t>(2 * height * panel_stride));
      std::memset(two_panels.data(), 0, static_cast<size_t>(2 * height * panel_stride));
      const Scratch sums(static_cast<size_t>(together * product.sums_bytes()));
      for (int64_t p = begin; p < end; p += together) {
        product.compute(p, std::min(end, p + together), two_panels.as<char>(), sums.as<char>());
      }
    });
  }
  return true;
}

}  // namespace heddle::cpu

#else

namespace heddle::cpu {

bool quantized_product_in_tiles(const void*, int64_t, const QuantizedMatrix&, void*) {
  return false;
}

}  // namespace heddle::cpu
#endif
