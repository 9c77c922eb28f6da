#include "heddle/array.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <unordered_set>

#include "core/convert.h"
#include "core/node.h"
#include "heddle/memory.h"

namespace heddle {

void Array::check_count(size_t given, const Shape& shape) {
  check_shape("array", shape);
  if (static_cast<int64_t>(given) != element_count(shape)) {
    throw std::invalid_argument(fmt::format(
        "[array] {} values were given for an array of shape {}.", given, to_string(shape)));
  }
}

Array Array::from_memory(const void* memory, Dtype from, const Shape& shape, Dtype dtype) {
  check_shape("array", shape, size_of(dtype));
  auto* node = new Node(shape, dtype);
  Array out = Array::adopt(node);
  node->allocate_dense();
  int64_t n = node->size();
  if (from == dtype) {
    std::memcpy(node->data, memory, static_cast<size_t>(n) * size_of(dtype));
  } else {
    visit_dtype(from, [&](auto source) {
      using From = typename decltype(source)::type;
      visit_dtype(dtype, [&](auto target) {
        using To = typename decltype(target)::type;
        const char* in = static_cast<const char*>(memory);
        To* to = reinterpret_cast<To*>(node->data);
        for (int64_t i = 0; i < n; i++, in += sizeof(From)) {
          From value;
          std::memcpy(&value, in, sizeof(From));  // not aligned, in files
          to[i] = convert_value<To>(value);
        }
      });
    });
  }
  node->finish();
  return out;
}

Array Array::adopt_memory(void* memory, const Shape& shape, Dtype dtype,
                          std::function<void(void*)> release) {
  check_shape("array", shape, size_of(dtype));
  auto* node = new Node(shape, dtype);
  Array out = Array::adopt(node);
  struct Owner {
    void* memory;
    std::function<void(void*)> release;
  };
  auto* owner = new Owner{memory, std::move(release)};
  node->set_data(wrap_memory(
      memory, node->nbytes(), true,
      [](void* context) {
        std::unique_ptr<Owner> ended(static_cast<Owner*>(context));
        if (ended->release) ended->release(ended->memory);
      },
      owner));
  node->finish();
  return out;
}

size_t get_array_buffer_size(const Arrays& arrays) {
  std::unordered_set<const Buffer*> seen;
  size_t bytes = 0;
  for (const Array& a : arrays) {
    if (!a.is_available()) {
      throw std::invalid_argument(
          "[get_array_buffer_size] Arrays must be evaluated before querying buffer size.");
    }
    const Buffer* b = a.node()->buffer.get();
    if (b && seen.insert(b).second) bytes += b->bytes;
  }
  return bytes;
}

void Array::item_into(void* value, Dtype dtype) const {
  if (size() != 1) {
    throw std::invalid_argument(fmt::format(
        "[convert] Only length-1 arrays can be converted to scalars, this one has shape {}.",
        to_string(shape())));
  }
  eval();
  visit_dtype(node_->dtype, [&](auto source) {
    using From = typename decltype(source)::type;
    visit_dtype(dtype, [&](auto target) {
      using To = typename decltype(target)::type;
      *static_cast<To*>(value) = convert_value<To>(*reinterpret_cast<const From*>(node_->data));
    });
  });
}

}  // namespace heddle
