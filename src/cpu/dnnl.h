// The one place that knows oneDNN. Every call describes its operands as plain structs, finds the
// primitive in a bounded per-thread cache (about 50 ns; creating one costs up to a millisecond) and
// runs it on the calling thread alone: who calls cuts the work into pieces and shares them out
// (product_pieces.cpp, conv.cpp). Thread-safe. Throws std::runtime_error where oneDNN refuses.
#pragma once

#include <cstdint>
#include <memory>

#include "heddle/dtype.h"

namespace heddle::cpu::onednn {

inline constexpr int max_rank = 6;

// What a primitive sees of an array. Only 64-bit fields: requests are hashed and compared bytewise.
struct Tensor {
  int64_t dtype = 0;
  int64_t rank = 0;  // 0: absent
  int64_t dims[max_rank] = {};
  int64_t strides[max_rank] = {};
};

// Pointwise tails that run on the accumulator before it is stored.
enum class Tail : int64_t { none, relu, gelu_erf, gelu_tanh, silu, tanh, sigmoid };

// Whether this machine multiplies `t` at full speed (bfloat16: AVX512-BF16 or AMX; float16:
// AVX512-FP16). float32 always; other dtypes never.
bool native(Dtype t);

// True where the matmul primitive beats dnnl_sgemm for large float32 products (AVX-512).
bool has_avx512();

// True on machines with AMX, unless oneDNN was told to do without (ONEDNN_MAX_CPU_ISA).
bool has_amx();

// out = tail(alpha * a b + beta * addend), each (M, K), (K, N), (M, N) or with up to four leading
// batch dimensions, of extent 1 where broadcast. One of the last two strides of a and b is 1; rows
// of out are dense. The addend, if present, has extent 1 where it is broadcast and lies like out
// otherwise; or, if `accumulate` is set, is what `out` holds.
struct MatmulRequest {
  int64_t kind = 1;
  Tensor a, b, out, addend;
  double alpha = 1, beta = 1;
  int64_t accumulate = 0;
  int64_t pack_b = 0;  // rearrange b as a whole at each call; pays where b is used for many rows
  Tail tail = Tail::none;
};
// False if oneDNN has only its reference implementation for these layouts; nothing is computed
// then.
bool matmul(const MatmulRequest& request, const void* a, const void* b, void* out,
            const void* addend = nullptr);

// A matrix b in the order that a product prefers, for many products that differ in a and out alone.
// It lies in scratch memory: for local variables only.
class PackedMatrix {
 public:
  // Copies b. The request has neither addend nor tail, and its pack_b is not read.
  PackedMatrix(const MatmulRequest& request, const void* b);
  ~PackedMatrix();
  // Runs on the calling thread alone; several threads may at a time.
  void multiply(const void* a, void* out) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

// Row-major out (M, N) = alpha * op(a) op(b) + beta * out; op transposes if the flag is set.
void sgemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha,
           const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* out,
           int64_t ldc);

enum class Direction : int64_t { forward, backward_data, backward_weights };

// A convolution dst = conv(src, weights): src (N, C, spatial...), dst (N, O, spatial...), both with
// the strides of dense channels-last memory; weights (O, C, k...) or (G, O/G, C/G, k...), any dense
// strides. Backward directions compute src or weights from the other two; weights may be float32
// where they are computed from bfloat16.
struct ConvRequest {
  int64_t kind = 2;
  Direction direction = Direction::forward;
  Tensor src, weights, dst;
  int64_t strides[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  int64_t low[3] = {}, high[3] = {};
  int64_t packed = 0;  // the weights lie as the primitive prefers them: for PackedWeights
};
void convolution(const ConvRequest& request, void* src, void* weights, void* dst);

// Weights in the order that a convolution prefers, for many convolutions (not of direction
// backward_weights) that differ from `request` in samples, extents and padding alone. Lies in
// scratch memory: for local variables only. Several threads may convolve at a time.
class PackedWeights {
 public:
  // Threads share the work. `weights` stays in use.
  PackedWeights(const ConvRequest& request, void* weights);
  ~PackedWeights();
  void convolve(const ConvRequest& request, void* src, void* dst) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace heddle::cpu::onednn
