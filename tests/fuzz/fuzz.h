// What the fuzzers share. An input is refused with UnsafeFileError or read; what is read must
// evaluate, or be refused then, and must survive being written and read again.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/node.h"
#include "heddle/heddle.h"

namespace heddle::fuzz {

constexpr size_t largest_evaluated = size_t{1}
                                     << 20;  // claims may be true of data that compress well

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

// The input as a file that can be mapped.
class File {
 public:
  File(const uint8_t* data, size_t bytes) {
    static const int descriptor = memfd_create("input", MFD_CLOEXEC);
    require(ftruncate(descriptor, 0) == 0 &&
                pwrite(descriptor, data, bytes, 0) == static_cast<ssize_t>(bytes),
            "the input is written to memory");
    path_ = "/proc/self/fd/" + std::to_string(descriptor);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The input as a stream that gives pieces of changing length.
inline ReadFunction stream(const uint8_t* data, size_t bytes) {
  return [data, bytes, at = size_t{0}](void* to, size_t n) mutable {
    n = std::min({n, bytes - at, size_t{1} + at % 4000});
    std::memcpy(to, data + at, n);
    at += n;
    return n;
  };
}
inline ReadFunction stream(const std::string& content) {
  return stream(reinterpret_cast<const uint8_t*>(content.data()), content.size());
}
inline WriteFunction append_to(std::string& content) {
  return
      [&content](const void* from, size_t n) { content.append(static_cast<const char*>(from), n); };
}

inline bool is_small(const NamedArrays& arrays) {
  size_t bytes = 0;
  for (const auto& [name, array] : arrays) bytes += std::min(array.nbytes(), largest_evaluated + 1);
  return bytes <= largest_evaluated;
}

inline void require_same(const Array& a, const Array& b) {
  require(a.shape() == b.shape() && a.dtype() == b.dtype(), "shape and dtype stay");
  Array x = contiguous(a), y = contiguous(b);
  eval(x, y);
  require(a.nbytes() == 0 || std::memcmp(x.raw_data(), y.raw_data(), a.nbytes()) == 0,
          "values stay");
}
inline void require_same(const NamedArrays& a, const NamedArrays& b) {
  require(a.size() == b.size(), "names stay");
  for (const auto& [name, array] : a) {
    auto other = b.find(name);
    require(other != b.end(), "a name stays");
    require_same(array, other->second);
  }
}

// Runs f, which may refuse the input.
template <class F>
int run(F&& f) {
  try {
    f();
  } catch (const UnsafeFileError&) {
    return 0;
  }
  return 0;
}

}  // namespace heddle::fuzz
