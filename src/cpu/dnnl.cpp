// Products by oneDNN.
#include "cpu/dnnl.h"

#include <atomic>

#include "cpu/dnnl_kernel.h"
#include "cpu/scratch.h"

namespace heddle::cpu::onednn {
namespace {

bool has(::dnnl::cpu_isa wanted) {
  static const ::dnnl::cpu_isa isa = ::dnnl::get_effective_cpu_isa();
  return (static_cast<unsigned>(isa) & static_cast<unsigned>(wanted)) ==
         static_cast<unsigned>(wanted);
}

::dnnl::algorithm algorithm_of(Tail tail) {
  switch (tail) {
    case Tail::relu:
      return ::dnnl::algorithm::eltwise_relu;
    case Tail::gelu_erf:
      return ::dnnl::algorithm::eltwise_gelu_erf;
    case Tail::gelu_tanh:
      return ::dnnl::algorithm::eltwise_gelu_tanh;
    case Tail::silu:
      return ::dnnl::algorithm::eltwise_swish;
    case Tail::tanh:
      return ::dnnl::algorithm::eltwise_tanh;
    default:
      return ::dnnl::algorithm::eltwise_logistic;
  }
}

// The value of pack_b for a matrix that comes in the primitive's order.
constexpr int64_t packed_beforehand = 2;
enum Argument : size_t { a_argument, b_argument, out_argument };

// The arguments are those of `given`, which differs from r where r leaves the number of rows open.
Kernel make_matmul(const MatmulRequest& r, const MatmulRequest& given) {
  ::dnnl::post_ops tail;
  bool has_addend = r.addend.rank > 0;
  auto scale = [&](double s) {
    if (s != 1) tail.append_eltwise(::dnnl::algorithm::eltwise_linear, static_cast<float>(s), 0.f);
  };
  if (r.accumulate) {
    scale(r.alpha);
    tail.append_sum(static_cast<float>(r.beta));
  } else if (has_addend) {
    // A binary post-op takes no factor: alpha x + beta c = beta (alpha / beta x + c).
    scale(r.alpha / r.beta);
    tail.append_binary(::dnnl::algorithm::binary_add, desc_of(r.addend));
    scale(r.beta);
  } else {
    scale(r.alpha);
  }
  // The index of the addend among the post-ops is part of its argument's name.
  int addend_at = r.alpha / r.beta != 1 ? 1 : 0;
  if (r.tail != Tail::none) {
    float slope = r.tail == Tail::silu ? 1.f : 0.f;
    tail.append_eltwise(algorithm_of(r.tail), slope, 0.f);
  }
  primitive_attr attributes = with_user_scratchpad();
  attributes.set_post_ops(tail);
  ::dnnl::matmul::primitive_desc d(engine(), desc_of(r.a),
                                   r.pack_b ? any_layout(r.b) : desc_of(r.b), desc_of(r.out),
                                   attributes);
  Kernel k;
  k.primitive = ::dnnl::matmul(d);
  k.add(DNNL_ARG_SRC, desc_of(given.a));
  k.add(DNNL_ARG_WEIGHTS, d.weights_desc());
  if (r.pack_b != packed_beforehand) k.accept(desc_of(r.b), false);
  k.add(DNNL_ARG_DST, desc_of(given.out));
  if (has_addend) {
    k.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(addend_at) | DNNL_ARG_SRC_1, desc_of(r.addend));
  }
  add_scratchpad(k, d);
  return k;
}

Kernel make_matmul(const MatmulRequest& r) { return make_matmul(r, r); }

// Making a bfloat16 primitive for AMX takes 0.3 to 3 ms, since kernels are generated for every
// remainder of rows; a program that sees ever new numbers of rows (prompts) would do little else.
// One that learns the number of rows at run time serves all. It is as fast for multiples of 32
// rows, which come again and again and get their own, and up to 15 % slower between (384 x 384, one
// core: 33 rows 23 us against 20, 100 rows 42 against 36, 255 the same; making them took 560 to
// 1,400 us), half as slow again where oneDNN would split sums between threads. For larger products
// making the primitive no longer matters. The rule looks at the shape alone, so that equal calls
// give equal bits.
bool suits_any_height(const MatmulRequest& r) {
  constexpr int64_t few_rows = 16, common_rows = 32, large = int64_t{1} << 28;
  const int64_t M = r.a.dims[0], K = r.a.dims[1], N = r.b.dims[1];
  const bool row_addend = r.addend.rank == 0 || r.addend.dims[0] == 1;
  return has_amx() && static_cast<Dtype>(r.a.dtype) == Dtype::bfloat16 && r.a.rank == 2 &&
         r.a.strides[1] == 1 && row_addend && M > few_rows && M % common_rows != 0 &&
         M * N * K <= large;
}

// The primitive for any number of rows, with arguments of this request's.
Kernel make_for_any_height(const MatmulRequest& request) {
  MatmulRequest any = request;
  any.a.dims[0] = any.out.dims[0] = DNNL_RUNTIME_DIM_VAL;
  Kernel k = cache().find(any, [&] { return make_matmul(any, request); });
  if (k.reference) return make_matmul(request);
  k.arguments[a_argument].object = memory(desc_of(request.a), engine(), nullptr);
  k.arguments[out_argument].object = memory(desc_of(request.out), engine(), nullptr);
  return k;
}

}  // namespace

bool has_amx() {
  static const bool value = has(::dnnl::cpu_isa::avx512_core_amx);
  return value;
}

bool native(Dtype t) {
  switch (t) {
    case Dtype::float32:
      return true;
    case Dtype::bfloat16:
      return has(::dnnl::cpu_isa::avx512_core_bf16);
    case Dtype::float16:
      return has(::dnnl::cpu_isa::avx512_core_fp16);
    default:
      return false;
  }
}

bool has_avx512() {
  static const bool value = has(::dnnl::cpu_isa::avx512_core);
  return value;
}

bool matmul(const MatmulRequest& request, const void* a, const void* b, void* out,
            const void* addend) {
  const OneThread one;
  Kernel& k = cache().find(request, [&] {
    return suits_any_height(request) ? make_for_any_height(request) : make_matmul(request);
  });
  if (k.reference) return false;
  void* pointers[] = {const_cast<void*>(a), const_cast<void*>(b), out, const_cast<void*>(addend),
                      nullptr};
  execute(k, pointers);
  return true;
}

// One primitive, made for one thread, that several threads may run: they share no argument.
struct PackedMatrix::Parts {
  explicit Parts(const Kernel& k)
      : primitive(k.primitive),
        a(k.arguments[a_argument].object.get_desc()),
        b(k.arguments[b_argument].object.get_desc()),
        out(k.arguments[out_argument].object.get_desc()),
        space(k.scratchpad ? k.arguments.back().object.get_desc() : memory::desc()),
        packed(b.get_size() + shared_margin) {}
  ::dnnl::primitive primitive;
  memory::desc a, b, out, space;
  Scratch packed;
};

PackedMatrix::PackedMatrix(const MatmulRequest& request, const void* b) {
  MatmulRequest r = request;
  r.pack_b = packed_beforehand;
  const OneThread one;
  auto parts = std::make_unique<Parts>(cache().find(r, [&] { return make_matmul(r); }));
  memory from(desc_of(r.b), engine(), const_cast<void*>(b));
  memory to(parts->b, engine(), parts->packed.data());
  ::dnnl::reorder(from, to).execute(stream(), from, to);
  parts_ = std::move(parts);
}

PackedMatrix::~PackedMatrix() = default;

void PackedMatrix::multiply(const void* a, void* out) const {
  const OneThread one;
  const Parts& p = *parts_;
  Scratch space(p.space.get_size());
  const memory from(p.a, engine(), const_cast<void*>(a)), b(p.b, engine(), p.packed.data());
  const memory to(p.out, engine(), out), extra(p.space, engine(), space.data());
  p.primitive.execute(stream(), {{DNNL_ARG_SRC, from},
                                 {DNNL_ARG_WEIGHTS, b},
                                 {DNNL_ARG_DST, to},
                                 {DNNL_ARG_SCRATCHPAD, extra}});
}

void sgemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha,
           const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* out,
           int64_t ldc) {
  const OneThread one;
  static std::atomic<bool> code_is_made{false};
  if (!code_is_made.load(std::memory_order_relaxed)) require_memory();
  check(dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', M, N, K, alpha, a, lda, b, ldb,
                   beta, out, ldc),
        "dnnl_sgemm");
  code_is_made.store(true, std::memory_order_relaxed);
}

}  // namespace heddle::cpu::onednn
