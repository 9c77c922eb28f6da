// Arrays over the bytes of a file.
#pragma once

#include "io/file.h"
#include "io/reader.h"

namespace heddle::io {

// How a file holds elements, where that differs from memory. Bytes of booleans other than 0 count
// as 1.
struct Storage {
  bool swapped = false;       // the other byte order
  bool column_major = false;  // the first axis moves fastest
  bool wide = false;          // complex128, which becomes complex64
};

// Bytes that the elements of `extent`, whose own are those in memory, take in the file.
inline uint64_t stored_bytes(const Extent& extent, Storage storage) {
  return storage.wide ? 2 * extent.bytes : extent.bytes;
}

// An array whose stored bytes `fetch` writes when they are first needed.
using Fetch = std::function<void(char* to)>;
Array lazy_array(const Extent& extent, Dtype dtype, Storage storage, const Stream& stream,
                 Fetch fetch);

// An array of the stored bytes at `at`, which lie in `file`. Elements that are in memory's own form
// and aligned are used where they are; others are converted when they are first needed.
Array stored_array(const Bytes& file, const char* at, const Extent& extent, Dtype dtype,
                   const Stream& stream, Storage storage = {});

// The same from the next bytes of a stream, now. An end too soon is refused as of `offset`.
Array read_array(const ReadFunction& read, const Origin& origin, uint64_t offset,
                 const Extent& extent, Dtype dtype, Storage storage = {});

// `array` in row-major order, evaluated, for writing: itself if it lies so.
Array dense(const Array& array);

}  // namespace heddle::io
