#include "cpu/dnnl.h"

#include <omp.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/threads.h"
#include "cpu/scratch.h"

namespace heddle::cpu::onednn {
namespace {

using ::dnnl::memory;
using ::dnnl::primitive_attr;

const ::dnnl::engine& engine() {
  // Never destroyed: threads may still hold primitives when the process ends.
  static const auto* e = new ::dnnl::engine(::dnnl::engine::kind::cpu, 0);
  return *e;
}

::dnnl::stream& stream() {
  thread_local ::dnnl::stream s(engine());
  return s;
}

// oneDNN asks OpenMP how many threads it may use; heddle's limit holds for the length of a call.
class ThreadLimit {
 public:
  explicit ThreadLimit(int limit = num_threads()) : before_(omp_get_max_threads()) {
    changed_ = limit != before_ && !omp_in_parallel();
    if (changed_) omp_set_num_threads(limit);
  }
  ~ThreadLimit() {
    if (changed_) omp_set_num_threads(before_);
  }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
  bool changed_;
};

int64_t effective_threads() { return omp_in_parallel() ? 1 : omp_get_max_threads(); }

memory::data_type type_of(int64_t dtype) {
  switch (static_cast<Dtype>(dtype)) {
    case Dtype::float32:
      return memory::data_type::f32;
    case Dtype::float16:
      return memory::data_type::f16;
    case Dtype::bfloat16:
      return memory::data_type::bf16;
    default:
      throw std::invalid_argument("[onednn] No primitive for dtype " +
                                  std::string(name_of(static_cast<Dtype>(dtype))) + ".");
  }
}

memory::desc desc_of(const Tensor& t) {
  return memory::desc(memory::dims(t.dims, t.dims + t.rank), type_of(t.dtype),
                      memory::dims(t.strides, t.strides + t.rank));
}

memory::desc any_layout(const Tensor& t) {
  return memory::desc(memory::dims(t.dims, t.dims + t.rank), type_of(t.dtype),
                      memory::format_tag::any);
}

// A primitive with the memory objects of its arguments, whose pointers are set at each call.
struct Kernel {
  struct Argument {
    int id;
    memory object;
  };
  ::dnnl::primitive primitive;
  std::vector<Argument> arguments;
  size_t scratchpad = 0;
  bool reference = false;  // oneDNN's scalar fallback

  // Conversions between the caller's layout and the one that the primitive prefers.
  struct Reorder {
    ::dnnl::reorder primitive;
    memory from, to;
    size_t argument;  // which argument it stands in for
    size_t bytes;     // of the preferred layout
    bool is_output;
  };
  std::vector<Reorder> reorders;

  void add(int id, const memory::desc& desc) {
    arguments.push_back({id, memory(desc, engine(), nullptr)});
  }

  // Lets the argument added last be passed in the layout `given`.
  void accept(const memory::desc& given, bool is_output) {
    memory::desc wanted = arguments.back().object.get_desc();
    if (given == wanted) return;
    memory outside(given, engine(), nullptr), inside(wanted, engine(), nullptr);
    memory& from = is_output ? inside : outside;
    memory& to = is_output ? outside : inside;
    reorders.push_back(
        {::dnnl::reorder(from, to), from, to, arguments.size() - 1, wanted.get_size(), is_output});
  }
};

void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) {
    throw std::runtime_error(std::string("[onednn] ") + what + " failed with status " +
                             std::to_string(static_cast<int>(status)) + ".");
  }
}

void execute(Kernel& k, void* const* pointers) {
  constexpr size_t most = 8;
  std::array<dnnl_exec_arg_t, most> arguments;
  size_t count = k.arguments.size();
  size_t reordered = 0;
  for (auto& r : k.reorders) reordered += (r.bytes + 63) / 64 * 64;
  Scratch scratch(k.scratchpad + reordered);
  char* space = scratch.as<char>() + (k.scratchpad + 63) / 64 * 64;

  for (size_t i = 0; i < count; i++) {
    auto& a = k.arguments[i];
    void* p = a.id == DNNL_ARG_SCRATCHPAD ? scratch.data() : pointers[i];
    check(dnnl_memory_set_data_handle(a.object.get(), p), "Setting an argument");
    arguments[i] = {a.id, a.object.get()};
  }
  for (auto& r : k.reorders) {
    void* outside = pointers[r.argument];
    r.from.set_data_handle(r.is_output ? space : outside);
    r.to.set_data_handle(r.is_output ? outside : space);
    arguments[r.argument].memory = r.is_output ? r.from.get() : r.to.get();
    space += (r.bytes + 63) / 64 * 64;
    if (!r.is_output) r.primitive.execute(stream(), r.from, r.to);
  }
  check(dnnl_primitive_execute(k.primitive.get(), stream().get(), static_cast<int>(count),
                               arguments.data()),
        "A primitive");
  for (auto& r : k.reorders) {
    if (r.is_output) r.primitive.execute(stream(), r.from, r.to);
  }
}

// A set-associative cache: within a set the entry used longest ago is replaced.
class Cache {
 public:
  template <class Request, class Make>
  Kernel& find(const Request& request, Make&& make) {
    static_assert(sizeof(Request) % 8 == 0 && std::is_trivially_copyable_v<Request>);
    constexpr size_t words = sizeof(Request) / 8 + 1;
    uint64_t key[words];
    std::memcpy(key, &request, sizeof(Request));
    key[words - 1] = static_cast<uint64_t>(effective_threads());
    uint64_t hash = hash_of(key, words);
    Entry* set = &entries_[hash % sets * ways];
    Entry* oldest = set;
    for (Entry* e = set; e != set + ways; e++) {
      if (e->hash == hash && e->key.size() == words &&
          std::memcmp(e->key.data(), key, sizeof(key)) == 0) {
        e->used = ++clock_;
        return *e->kernel;
      }
      if (e->used < oldest->used) oldest = e;
    }
    auto kernel = std::make_unique<Kernel>(make());
    oldest->kernel = std::move(kernel);
    oldest->key.assign(key, key + words);
    oldest->hash = hash;
    oldest->used = ++clock_;
    return *oldest->kernel;
  }

 private:
  static constexpr size_t sets = 128, ways = 8;
  struct Entry {
    uint64_t hash = 0, used = 0;
    std::vector<uint64_t> key;
    std::unique_ptr<Kernel> kernel;
  };

  static uint64_t hash_of(const uint64_t* words, size_t n) {
    // Two independent multiply-and-fold chains (as in wyhash) hide each other's latency.
    uint64_t h[2] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u};
    for (size_t i = 0; i < n; i++) {
      unsigned __int128 m =
          static_cast<unsigned __int128>(h[i & 1] ^ words[i]) * 0xd6e8feb86659fd93u;
      h[i & 1] = static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
      h[i & 1] += i;
    }
    return h[0] ^ (h[1] << 1 | h[1] >> 63);
  }

  std::vector<Entry> entries_ = std::vector<Entry>(sets * ways);
  uint64_t clock_ = 0;
};

Cache& cache() {
  thread_local Cache c;
  return c;
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

template <class Descriptor>
void add_scratchpad(Kernel& k, const Descriptor& d) {
  k.scratchpad = d.scratchpad_desc().get_size();
  if (k.scratchpad) k.add(DNNL_ARG_SCRATCHPAD, d.scratchpad_desc());
  k.reference = std::strncmp(d.impl_info_str(), "ref", 3) == 0;
}

primitive_attr with_user_scratchpad() {
  primitive_attr attributes;
  attributes.set_scratchpad_mode(::dnnl::scratchpad_mode::user);
  return attributes;
}

Kernel make_matmul(const MatmulRequest& r) {
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
  k.add(DNNL_ARG_SRC, d.src_desc());
  k.add(DNNL_ARG_WEIGHTS, d.weights_desc());
  k.accept(desc_of(r.b), false);
  k.add(DNNL_ARG_DST, d.dst_desc());
  if (has_addend) {
    k.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(addend_at) | DNNL_ARG_SRC_1, desc_of(r.addend));
  }
  add_scratchpad(k, d);
  return k;
}

struct Window {
  memory::dims strides, dilation, low, high;
};

Window window_of(const ConvRequest& r) {
  int64_t n = r.src.rank - 2;
  Window w;
  w.strides.assign(r.strides, r.strides + n);
  w.low.assign(r.low, r.low + n);
  w.high.assign(r.high, r.high + n);
  for (int64_t i = 0; i < n; i++) w.dilation.push_back(r.dilation[i] - 1);
  return w;
}

// `any` lets oneDNN choose the layout of the activations too, at the price of two reorders.
std::optional<Kernel> make_convolution(const ConvRequest& r, bool any) {
  Window w = window_of(r);
  auto algorithm = ::dnnl::algorithm::convolution_direct;
  auto activation = [&](const Tensor& t) { return any ? any_layout(t) : desc_of(t); };
  memory::desc src = activation(r.src), dst = activation(r.dst);
  memory::desc weights = any_layout(r.weights);
  primitive_attr attributes = with_user_scratchpad();
  bool forward = r.direction == Direction::forward;
  ::dnnl::convolution_forward::primitive_desc hint(
      engine(),
      forward ? ::dnnl::prop_kind::forward_inference : ::dnnl::prop_kind::forward_training,
      algorithm, src, weights, dst, w.strides, w.dilation, w.low, w.high, attributes, true);
  if (!hint) return std::nullopt;
  Kernel k;
  auto arguments = [&](const auto& d, int src_id, const memory::desc& src_desc, int weights_id,
                       const memory::desc& weights_desc, int dst_id, const memory::desc& dst_desc) {
    k.add(src_id, src_desc);
    k.accept(desc_of(r.src), r.direction == Direction::backward_data);
    k.add(weights_id, weights_desc);
    k.accept(desc_of(r.weights), r.direction == Direction::backward_weights);
    k.add(dst_id, dst_desc);
    k.accept(desc_of(r.dst), forward);
    add_scratchpad(k, d);
  };
  if (forward) {
    k.primitive = ::dnnl::convolution_forward(hint);
    arguments(hint, DNNL_ARG_SRC, hint.src_desc(), DNNL_ARG_WEIGHTS, hint.weights_desc(),
              DNNL_ARG_DST, hint.dst_desc());
  } else if (r.direction == Direction::backward_data) {
    ::dnnl::convolution_backward_data::primitive_desc d(engine(), algorithm, src, weights, dst,
                                                        w.strides, w.dilation, w.low, w.high, hint,
                                                        attributes, true);
    if (!d) return std::nullopt;
    k.primitive = ::dnnl::convolution_backward_data(d);
    arguments(d, DNNL_ARG_DIFF_SRC, d.diff_src_desc(), DNNL_ARG_WEIGHTS, d.weights_desc(),
              DNNL_ARG_DIFF_DST, d.diff_dst_desc());
  } else {
    ::dnnl::convolution_backward_weights::primitive_desc d(engine(), algorithm, src, weights, dst,
                                                           w.strides, w.dilation, w.low, w.high,
                                                           hint, attributes, true);
    if (!d) return std::nullopt;
    k.primitive = ::dnnl::convolution_backward_weights(d);
    arguments(d, DNNL_ARG_SRC, d.src_desc(), DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc(),
              DNNL_ARG_DIFF_DST, d.diff_dst_desc());
  }
  return k;
}

Kernel make_convolution(const ConvRequest& r) {
  std::optional<Kernel> plain = make_convolution(r, false);
  if (plain && !plain->reference) return std::move(*plain);
  std::optional<Kernel> chosen = make_convolution(r, true);
  if (chosen && (!plain || !chosen->reference)) return std::move(*chosen);
  if (plain) return std::move(*plain);
  throw std::runtime_error("[conv] oneDNN has no implementation for these shapes.");
}

}  // namespace

bool native(Dtype t) {
  static const ::dnnl::cpu_isa isa = ::dnnl::get_effective_cpu_isa();
  auto has = [](::dnnl::cpu_isa wanted) {
    return (static_cast<unsigned>(isa) & static_cast<unsigned>(wanted)) ==
           static_cast<unsigned>(wanted);
  };
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
  static const bool value = (static_cast<unsigned>(::dnnl::get_effective_cpu_isa()) &
                             static_cast<unsigned>(::dnnl::cpu_isa::avx512_core)) ==
                            static_cast<unsigned>(::dnnl::cpu_isa::avx512_core);
  return value;
}

bool matmul(const MatmulRequest& request, const void* a, const void* b, void* out,
            const void* addend) {
  ThreadLimit limit;
  Kernel& k = cache().find(request, [&] { return make_matmul(request); });
  if (k.reference) return false;
  void* pointers[] = {const_cast<void*>(a), const_cast<void*>(b), out, const_cast<void*>(addend),
                      nullptr};
  execute(k, pointers);
  return true;
}

void sgemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha,
           const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* out,
           int64_t ldc) {
  ThreadLimit limit;
  check(dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', M, N, K, alpha, a, lda, b, ldb,
                   beta, out, ldc),
        "dnnl_sgemm");
}

int64_t elements_of(const Tensor& t) {
  return std::accumulate(t.dims, t.dims + t.rank, int64_t{1}, std::multiplies<>());
}

// What a convolution computes and moves is too little to wake other threads for.
bool is_small(const ConvRequest& r) {
  int64_t moved = elements_of(r.src) + elements_of(r.weights) + elements_of(r.dst);
  // Each element of the weights meets one element of dst per sample and position.
  int64_t positions = r.dst.dims[0];
  for (int64_t d = 2; d < r.dst.rank; d++) positions *= r.dst.dims[d];
  return moved <= parallel_grain * 2 && elements_of(r.weights) * positions <= parallel_grain * 8;
}

void convolution(const ConvRequest& request, void* src, void* weights, void* dst) {
  ThreadLimit limit(is_small(request) ? 1 : num_threads());
  Kernel& k = cache().find(request, [&] { return make_convolution(request); });
  void* pointers[] = {src, weights, dst, nullptr};
  execute(k, pointers);
}

}  // namespace heddle::cpu::onednn
