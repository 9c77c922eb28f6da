// What products and convolutions by oneDNN share: primitives with their arguments, and the cache of
// them. For the files of dnnl.h alone.
#pragma once

#include <omp.h>

#include <cstring>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "cpu/dnnl.h"
#include "cpu/signal_stack.h"

namespace heddle::cpu::onednn {

using ::dnnl::memory;
using ::dnnl::primitive_attr;

const ::dnnl::engine& engine();
::dnnl::stream& stream();  // of this thread

// Around every call of oneDNN, which asks OpenMP how many threads it may use: one. heddle shares
// the work out itself, so that threads take it as they come and bits do not depend on their number.
// Signals may come meanwhile (signal_stack.h).
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
    separate_signal_stack();
  }
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

memory::desc desc_of(const Tensor& t);
memory::desc any_layout(const Tensor& t);
primitive_attr with_user_scratchpad();
// Throws OutOfMemoryError where little memory is left. Before code is made: oneDNN 3.2 does not
// recover from a failure amid that, and every later attempt fails.
void require_memory();
// Throws std::runtime_error unless the status is success.
void check(dnnl_status_t status, const char* what);

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
  std::optional<Reorder> packing;  // of an argument that comes in the preferred layout

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

  // Has the argument added last passed in the preferred layout, to be made from `given`.
  void pack(const memory::desc& given) {
    const size_t before = reorders.size();
    accept(given, false);
    if (reorders.size() == before) return;
    packing = std::move(reorders.back());
    reorders.pop_back();
  }
};

// Runs it on pointers for its arguments, in their order; null for the scratchpad.
void execute(Kernel& k, void* const* pointers);

template <class Descriptor>
void add_scratchpad(Kernel& k, const Descriptor& d) {
  k.scratchpad = d.scratchpad_desc().get_size();
  if (k.scratchpad) k.add(DNNL_ARG_SCRATCHPAD, d.scratchpad_desc());
  k.reference = std::strncmp(d.impl_info_str(), "ref", 3) == 0;
}

// A set-associative cache: within a set the entry used longest ago is replaced.
class Cache {
 public:
  template <class Request, class Make>
  Kernel& find(const Request& request, Make&& make) {
    static_assert(sizeof(Request) % 8 == 0 && std::is_trivially_copyable_v<Request>);
    constexpr size_t words = sizeof(Request) / 8;
    uint64_t key[words];
    std::memcpy(key, &request, sizeof(Request));
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
    require_memory();
    try {
      oldest->kernel = std::make_unique<Kernel>(make());
    } catch (const ::dnnl::error& e) {
      check(e.status, "Making a primitive");
      throw;
    }
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

Cache& cache();  // of this thread

}  // namespace heddle::cpu::onednn
