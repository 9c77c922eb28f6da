// What a kernel sees of an array: memory, dtype, shape, strides. Owns nothing.
#pragma once

#include "heddle/dtype.h"
#include "heddle/shape.h"

namespace heddle {

struct View {
  void* data = nullptr;  // first element
  Dtype dtype = Dtype::float32;
  Shape shape;
  Strides strides;  // in elements; 0 where broadcast, may be negative

  int ndim() const { return static_cast<int>(shape.size()); }
  int64_t size() const { return element_count(shape); }
  bool row_contiguous() const { return is_row_contiguous(shape, strides); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace heddle
