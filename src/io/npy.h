// The npy format, which npz archives hold too: a magic number, a version, a header that is a Python
// literal, the elements. The header is parsed by a small grammar and never evaluated.
#pragma once

#include "io/stored.h"

namespace heddle::io {

struct NpyHeader {
  Extent extent;
  Dtype dtype = Dtype::float32;
  Storage storage;
  uint64_t header_bytes = 0;  // before the elements
};

// Reads up to the first element.
NpyHeader read_npy_header(const ReadFunction& read, const Origin& origin);

// As numpy writes it.
std::string npy_header(Dtype dtype, const Shape& shape, bool column_major);

// The array as it is to be written: dense in row-major order, or in column-major order if it lies
// so. Evaluates it.
struct NpyContent {
  std::string header;
  Array array;  // its nbytes() bytes at raw_data() are the content
};
NpyContent npy_content(const Array& array);

}  // namespace heddle::io
