// The array: a handle on a lazy node of the graph. Copying a handle is cheap and shares the node.
//
// An op builds a node at once (shape, dtype and argument errors are raised there) and computes
// nothing. eval() computes; afterwards the node holds a buffer and lets go of its inputs.
// Handles may be copied and released on any thread; one array object must not be assigned to from
// two threads at once.
#pragma once

#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <ostream>
#include <type_traits>
#include <utility>
#include <vector>

#include "heddle/device.h"
#include "heddle/dtype.h"
#include "heddle/errors.h"
#include "heddle/shape.h"

namespace heddle {

struct Node;
class Primitive;
namespace allocator {
class Buffer;
class Data;
}  // namespace allocator

class Array {
 public:
  // No array: stands for one that is not given. Any use but assignment and operator bool throws
  // std::invalid_argument.
  Array() = default;
  // Scalars: of the dtype of the C++ type (float32 from double), unless one is given.
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_same_v<T, complex64_t> ||
             std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>)
  Array(T value) : Array(value, scalar_dtype<T>()) {}
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_same_v<T, complex64_t> ||
             std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>)
  Array(T value, Dtype dtype) : Array(scalar(static_cast<Storage<T>>(value), dtype)) {}
  // One dimension from a list of values, in the same way; of float32 if there are none.
  Array(std::initializer_list<float> values)
      : Array(values.begin(), Shape{static_cast<int64_t>(values.size())}, Dtype::float32) {}
  Array(std::initializer_list<int> values, Dtype dtype)
      : Array(values.begin(), Shape{static_cast<int64_t>(values.size())}, dtype) {}
  template <class T>
  Array(std::initializer_list<T> values, Dtype dtype = scalar_dtype<T>())
      : Array(values.begin(), Shape{static_cast<int64_t>(values.size())}, dtype) {}
  // `shape` elements from a list of as many values; std::invalid_argument for another number.
  template <class T>
  Array(std::initializer_list<T> values, const Shape& shape, Dtype dtype = scalar_dtype<T>()) {
    check_count(values.size(), shape);
    *this = Array(values.begin(), shape, dtype);
  }
  // `shape` elements from an iterator over T, converted to `dtype`.
  template <class It, class T = typename std::iterator_traits<It>::value_type>
  Array(It first, const Shape& shape, Dtype dtype = scalar_dtype<T>()) {
    check_shape("array", shape, sizeof(T));
    size_t count = static_cast<size_t>(element_count(shape));
    auto values = std::make_unique<Storage<T>[]>(count);  // not a vector: that packs bools
    for (size_t i = 0; i < count; i++) values[i] = static_cast<Storage<T>>(*first++);
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

  // Evaluated arrays only (data, raw_data, strides; others throw std::runtime_error) or evaluating
  // on demand (item).
  //
  // data() hands out size() elements in row-major order, of type T whatever the dtype says. An
  // array that lies otherwise, as results that repeat or select elements do, is first copied to
  // memory of its own, which it then keeps; so is, where a caller may write, one whose memory
  // cannot be written (a mapped file). Not while other threads read the same array. What is written
  // is seen by every array that shares the memory.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(dense_data(false));
  }
  template <class T>
  T* data() {
    return static_cast<T*>(dense_data(true));
  }
  // The first element where it lies; the others are strides() away, as long as nobody calls data().
  const void* raw_data() const;
  const Strides& strides() const;  // in elements
  int64_t strides(int axis) const;
  template <class T>
  T item() const {
    Storage<T> value;
    item_into(&value, dtype_of<Storage<T>>);
    return static_cast<T>(value);
  }

  // --- The graph behind the array. Evaluation on another thread changes what these see.

  // What computes the array, as a primitive (heddle/primitive.h); evaluated arrays have nothing,
  // but inside a transformation, and no inputs. Throws std::invalid_argument then.
  bool has_primitive() const;
  std::shared_ptr<Primitive> primitive() const;
  const std::vector<Array>& inputs() const;
  // All results of its operation, in order, of which this is the one at output_index().
  std::vector<Array> outputs() const;
  int output_index() const;
  bool is_tracer() const;  // depends on an input of the transformation that runs
  void set_tracer(bool is_tracer);
  // Cuts an evaluated array off a graph that a transformation keeps; std::invalid_argument for
  // another.
  void detach();

  // --- Results of primitives of a program's own, and their memory.

  // What a primitive makes of the inputs, lazily. Without a primitive: an array without a value,
  // until set_data gives it memory.
  Array(Shape shape, Dtype dtype, std::shared_ptr<Primitive> primitive, std::vector<Array> inputs);
  // The results of a primitive with several.
  static std::vector<Array> make_arrays(std::vector<Shape> shapes, const std::vector<Dtype>& dtypes,
                                        const std::shared_ptr<Primitive>& primitive,
                                        const std::vector<Array>& inputs);
  // Row-major elements, which the array owns from now on.
  Array(allocator::Data data, Shape shape, Dtype dtype);
  // The same memory without a share in it: valid as long as `other` has it.
  static Array unsafe_weak_copy(const Array& other);

  // Gives the array memory: row-major, or as the strides say from `offset` bytes after its start.
  // Throws std::invalid_argument if elements lie outside.
  void set_data(allocator::Data data);
  void set_data(allocator::Data data, Strides strides, int64_t offset = 0);
  // The memory of another array: as that lies, or with strides of its own from `offset` elements
  // after the first one.
  void copy_shared_buffer(const Array& other);
  void copy_shared_buffer(const Array& other, const Strides& strides, int64_t offset = 0);

  // Of an array that has memory, else std::invalid_argument:
  struct Layout {
    bool contiguous;      // without gaps: each element of the memory is one of the array
    bool row_contiguous;  // dense, the last axis varies fastest
    bool col_contiguous;  // dense, the first axis varies fastest
  };
  Layout layout() const;
  size_t data_size() const;  // elements from the first in memory to the last, both counted
  int64_t offset() const;    // bytes from the start of the buffer to the first element
  allocator::Buffer buffer() const;
  // True if nobody else holds the array or its memory, which may be handed to a result.
  bool is_donatable() const;

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
  // Uses `shape` row-major elements at `memory` without a copy, and `release` once when the last
  // array that shares them is gone, on any thread.
  static Array adopt_memory(void* memory, const Shape& shape, Dtype dtype,
                            std::function<void(void*)> release);
  Node* release() { return std::exchange(node_, nullptr); }

 private:
  template <class T>
  using Storage = typename detail::StoredAs<T>::type;
  template <class T>
  static constexpr Dtype scalar_dtype() {
    return std::is_same_v<Storage<T>, double> ? Dtype::float32 : dtype_of<Storage<T>>;
  }
  template <class T>
  static Array scalar(T value, Dtype dtype) {
    return from_memory(&value, dtype_of<T>, Shape{}, dtype);
  }
  void* dense_data(bool writable) const;
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
// With the words of a language for the bools: "True" and "False" in Python.
std::string to_string(const Array& a, const char* true_word, const char* false_word);
std::ostream& operator<<(std::ostream& stream, const Array& a);
template <Half T>
std::ostream& operator<<(std::ostream& stream, T value) {
  return stream << static_cast<float>(value);
}

struct PrintOptions {
  int precision = -1;  // digits after the point; -1: six significant digits
};
PrintOptions get_printoptions();
void set_printoptions(PrintOptions options);

}  // namespace heddle
