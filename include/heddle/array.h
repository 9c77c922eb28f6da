// The array: a handle on a lazy node of the graph. Copying a handle is cheap and shares the node.
//
// An op builds a node at once (shape, dtype and argument errors are raised there) and computes
// nothing. eval() computes; afterwards the node holds a buffer and lets go of its inputs.
// Handles may be copied and released on any thread; one array object must not be assigned to from
// two threads at once.
#pragma once

#include <initializer_list>
#include <iosfwd>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "heddle/device.h"
#include "heddle/dtype.h"
#include "heddle/errors.h"
#include "heddle/shape.h"

namespace heddle {

struct Node;

class Array {
 public:
  Array() = default;  // no array; only assignment and operator bool are allowed
  // Scalars: float32 from floating values, int32 from integers, bool from bool, unless a dtype is
  // given.
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_same_v<T, complex64_t> ||
             std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>)
  Array(T value) : Array(value, scalar_dtype<T>()) {}
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_same_v<T, complex64_t> ||
             std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>)
  Array(T value, Dtype dtype) : Array(from_memory(&value, dtype_of<Storage<T>>, Shape{}, dtype)) {}
  // One dimension from a list of values.
  template <class T>
  Array(std::initializer_list<T> values, Dtype dtype = dtype_of<Storage<T>>)
      : Array(values.begin(), Shape{static_cast<int64_t>(values.size())}, dtype) {}
  // `shape` elements from a list of as many values; std::invalid_argument for another number.
  template <class T>
  Array(std::initializer_list<T> values, const Shape& shape, Dtype dtype = dtype_of<Storage<T>>) {
    check_count(values.size(), shape);
    *this = Array(values.begin(), shape, dtype);
  }
  // `shape` elements from an iterator over T, converted to `dtype`.
  template <class It, class T = typename std::iterator_traits<It>::value_type>
  Array(It first, const Shape& shape, Dtype dtype = dtype_of<Storage<T>>) {
    size_t count = static_cast<size_t>(element_count(shape));
    auto values = std::make_unique<Storage<T>[]>(count);  // not a vector: that packs bools
    for (size_t i = 0; i < count; i++) values[i] = *first++;
    *this = from_memory(values.get(), dtype_of<Storage<T>>, shape, dtype);
  }

  Array(const Array& o);
  Array(Array&& o) noexcept : node_(std::exchange(o.node_, nullptr)) {}
  Array& operator=(const Array& o);
  Array& operator=(Array&& o) noexcept {
    std::swap(node_, o.node_);
    return *this;
  }
  ~Array();

  explicit operator bool() const { return node_ != nullptr; }

  const Shape& shape() const;
  int64_t shape(int axis) const;  // negative axes count from the end
  int ndim() const { return static_cast<int>(shape().size()); }
  int64_t size() const { return element_count(shape()); }
  Dtype dtype() const;
  size_t itemsize() const { return size_of(dtype()); }
  size_t nbytes() const { return static_cast<size_t>(size()) * itemsize(); }

  bool is_available() const;  // evaluated and not waiting for a stream
  void eval() const;          // computes this array; see heddle::eval

  // Evaluated arrays only (data, strides) or evaluating on demand (item). What a caller writes
  // through data() is seen by every array that shares the memory; that of mapped files cannot be
  // written.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(raw_data());
  }
  template <class T>
  T* data() {
    return static_cast<T*>(const_cast<void*>(raw_data()));
  }
  const void* raw_data() const;
  const Strides& strides() const;  // in elements
  int64_t strides(int axis) const;
  template <class T>
  T item() const {
    T value;
    item_into(&value, dtype_of<T>);
    return value;
  }

  // Replaces the contents of this handle: Python's in-place operators.
  void overwrite(const Array& o) { *this = o; }

  // Identity of the node, for maps of graphs.
  Node* node() const { return node_; }
  uintptr_t id() const { return reinterpret_cast<uintptr_t>(node_); }
  bool same_as(const Array& o) const { return node_ == o.node_; }

  // Takes over one reference to `node`; engine only.
  static Array adopt(Node* node) {
    Array a;
    a.node_ = node;
    return a;
  }
  static Array share(Node* node);
  // Copies `shape` elements of dtype `from` at `memory` (row-major) into a new array of `dtype`.
  static Array from_memory(const void* memory, Dtype from, const Shape& shape, Dtype dtype);
  Node* release() { return std::exchange(node_, nullptr); }

 private:
  template <class T>
  using Storage =
      std::conditional_t<std::is_same_v<T, long long>, int64_t,
                         std::conditional_t<std::is_same_v<T, unsigned long long>, uint64_t, T>>;
  template <class T>
  static constexpr Dtype scalar_dtype() {
    if constexpr (std::is_same_v<T, bool>) return Dtype::bool_;
    else if constexpr (std::is_integral_v<T>) return Dtype::int32;
    else if constexpr (std::is_same_v<T, double>) return Dtype::float32;
    else return dtype_of<T>;
  }
  void item_into(void* value, Dtype dtype) const;
  // Throws std::invalid_argument if `shape` wants another number of elements.
  static void check_count(size_t given, const Shape& shape);

  Node* node_ = nullptr;
};

using Arrays = std::vector<Array>;

// Computes the arrays and what they need. Small graphs run on the calling thread. Throws what the
// kernels throw, std::runtime_error for work of another thread's stream, std::invalid_argument for
// placeholders inside a transformation.
void eval(const Arrays& arrays);
template <class... More>
void eval(const Array& first, const More&... more) {
  eval(Arrays{first, more...});
}
// Starts computing on the stream's worker and returns; an error surfaces at the next eval, item or
// synchronize that waits for it.
void async_eval(const Arrays& arrays);
template <class... More>
void async_eval(const Array& first, const More&... more) {
  async_eval(Arrays{first, more...});
}

// Text as MLX prints it: array([1, 2], dtype=int32). Evaluates.
std::string to_string(const Array& a);
std::ostream& operator<<(std::ostream& stream, const Array& a);

struct PrintOptions {
  int precision = -1;  // digits after the point; -1: six significant digits
};
PrintOptions get_printoptions();
void set_printoptions(PrintOptions options);

}  // namespace heddle
