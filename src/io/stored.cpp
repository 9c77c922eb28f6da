#include "io/stored.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "core/node.h"
#include "heddle/ops.h"
#include "ops/load.h"

namespace heddle::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are used as the files hold them");

bool needs_conversion(Dtype dtype, Storage storage) {
  return is_bool(dtype) || storage.wide || (storage.swapped && size_of(dtype) > 1);
}

template <size_t width>
void reverse_each(char* data, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; i += width) std::reverse(data + i, data + i + width);
}

void swap_bytes(char* data, uint64_t bytes, size_t width) {
  if (width == 2) reverse_each<2>(data, bytes);
  if (width == 4) reverse_each<4>(data, bytes);
  if (width == 8) reverse_each<8>(data, bytes);
}

// Turns elements as they are stored into elements of memory, in place.
void convert(char* data, uint64_t bytes, Dtype dtype, Storage storage) {
  if (is_bool(dtype)) {
    for (uint64_t i = 0; i < bytes; i++) data[i] = data[i] != 0;
  }
  size_t width = storage.wide ? sizeof(double) : is_complex(dtype) ? sizeof(float) : size_of(dtype);
  if (storage.swapped) swap_bytes(data, bytes, width);
  if (storage.wide) {
    for (uint64_t i = 0; i < bytes / sizeof(double); i++) {
      double value;
      std::memcpy(&value, data + i * sizeof(double), sizeof(double));
      float narrow = static_cast<float>(value);
      std::memcpy(data + i * sizeof(float), &narrow, sizeof(float));
    }
  }
}

Extent transposed(Extent extent) {
  std::reverse(extent.shape.begin(), extent.shape.end());
  return extent;
}

bool is_transposed(const Extent& extent, Storage* storage) {
  return std::exchange(storage->column_major, false) && extent.shape.size() > 1;
}

Array in_memory(const Shape& shape, Dtype dtype, BufferRef owner, int64_t byte_offset = 0) {
  auto* node = new Node(shape, dtype);
  Array array = Array::adopt(node);
  node->set_data(std::move(owner), byte_offset);
  node->finish();
  return array;
}

}  // namespace

Array lazy_array(const Extent& extent, Dtype dtype, Storage storage, const Stream& stream,
                 Fetch fetch) {
  if (is_transposed(extent, &storage)) {
    return transpose(lazy_array(transposed(extent), dtype, storage, stream, std::move(fetch)),
                     stream);
  }
  auto fill = [fetch = std::move(fetch), bytes = extent.bytes, dtype, storage](char* to) {
    if (storage.wide) {
      auto stored = std::make_unique<char[]>(2 * bytes);
      fetch(stored.get());
      convert(stored.get(), 2 * bytes, dtype, storage);
      std::memcpy(to, stored.get(), bytes);
    } else {
      fetch(to);
      convert(to, bytes, dtype, storage);
    }
  };
  return apply(make_op<Load>(extent.shape, dtype, std::move(fill)), {}, stream);
}

Array stored_array(const Bytes& file, const char* at, const Extent& extent, Dtype dtype,
                   const Stream& stream, Storage storage) {
  bool aligned = reinterpret_cast<uintptr_t>(at) % size_of(dtype) == 0;
  if (extent.bytes == 0) return in_memory(extent.shape, dtype, allocate(0));
  if (file.owner && aligned && !needs_conversion(dtype, storage)) {
    bool is_turned = is_transposed(extent, &storage);
    Array array = in_memory(is_turned ? transposed(extent).shape : extent.shape, dtype, file.owner,
                            at - static_cast<const char*>(file.owner->data));
    return is_turned ? transpose(array, stream) : array;
  }
  auto fetch = [owner = file.owner, at, bytes = stored_bytes(extent, storage)](char* to) {
    std::memcpy(to, at, bytes);
  };
  return lazy_array(extent, dtype, storage, stream, std::move(fetch));
}

Array read_array(const ReadFunction& read, const Origin& origin, uint64_t offset,
                 const Extent& extent, Dtype dtype, Storage storage) {
  uint64_t bytes = stored_bytes(extent, storage);
  Bytes content = read_bytes(read, bytes);
  if (content.size < bytes) {
    origin.refuse(offset, "data",
                  fmt::format("{} bytes are wanted, {} are left", bytes, content.size));
  }
  if (needs_conversion(dtype, storage)) {
    convert(static_cast<char*>(content.owner->data), bytes, dtype, storage);
  }
  bool is_turned = is_transposed(extent, &storage);
  Array array = in_memory(is_turned ? transposed(extent).shape : extent.shape, dtype,
                          std::move(content.owner));
  return is_turned ? transpose(array) : array;
}

Array dense(const Array& array) {
  array.eval();
  if (array.node()->row_contiguous()) return array;
  Array copy = contiguous(array);
  copy.eval();
  return copy;
}

}  // namespace heddle::io
