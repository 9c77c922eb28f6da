// MLX's array: a handle on one of heddle's, with its shape in MLX's types.
//
// An array of this interface shows row-major memory, whatever the engine made of it: strides() and
// flags() are always those of such an array, and data() makes them true, by a copy where it must.
// So a program that reads or fills arrays through data(), with or without regard to strides, works
// on every result, views that repeat or select elements included. The one exception is the result
// of a primitive that gives it memory with strides of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "heddle/array.h"
#include "heddle/ops/index.h"
#include "heddle/ops/shape.h"
#include "mlx/allocator.h"
#include "mlx/dtype.h"
#include "mlx/small_vector.h"
#include "mlx/stream.h"

namespace mlx::core {

class Primitive;

class array {
 public:
  // One value, of the dtype of its C++ type; float32 of a double.
  template <class T>
    requires(!std::is_base_of_v<heddle::Array, T>)
  explicit array(T value, Dtype dtype = TypeToDtype<T>());
  explicit array(const std::complex<float>& value, Dtype dtype = complex64);
  // `shape` values from an iterator, in row-major order.
  template <class It>
  explicit array(It data, Shape shape,
                 Dtype dtype = TypeToDtype<typename std::iterator_traits<It>::value_type>());
  // One dimension from a list: floats, if it mixes kinds of numbers or is empty.
  template <class T>
  explicit array(std::initializer_list<T> data, Dtype dtype = TypeToDtype<T>());
  explicit array(std::initializer_list<float> data);
  explicit array(std::initializer_list<int> data, Dtype dtype);
  // Throws std::invalid_argument for another number of values than `shape` has.
  template <class T>
  explicit array(std::initializer_list<T> data, Shape shape, Dtype dtype = TypeToDtype<T>());
  // Uses memory of the caller's without a copy. `deleter` gets it back, once, on any thread, when
  // no array shares it any more.
  explicit array(void* data, Shape shape, Dtype dtype, const std::function<void(void*)>& deleter);

  // heddle's arrays are MLX's and the other way round; a template, so that no list is taken for
  // one.
  template <class A>
    requires(std::is_base_of_v<heddle::Array, A>)
  array(A value) : desc_(std::make_shared<Desc>(std::move(value))) {}
  operator const heddle::Array&() const { return desc().value; }

  array(const array& other) = default;
  array(array&& other) = default;
  array& operator=(const array& other) & = default;
  array& operator=(array&& other) & = default;
  array& operator=(const array& other) && = delete;
  array& operator=(array&& other) && = delete;

  size_t itemsize() const { return size_of(dtype()); }
  size_t size() const { return static_cast<size_t>(desc().value.size()); }
  size_t nbytes() const { return size() * itemsize(); }
  size_t ndim() const { return desc().shape.size(); }
  const Shape& shape() const { return desc().shape; }
  // Negative dimensions count from the end. Throws std::out_of_range.
  ShapeElem shape(int dim) const { return shape().at(counted(dim)); }
  const Strides& strides() const { return desc().strides; }
  int64_t strides(int dim) const { return strides().at(counted(dim)); }
  Dtype dtype() const { return desc().value.dtype(); }

  void eval() { desc().value.eval(); }
  void eval() const { desc().value.eval(); }
  bool is_available() const { return desc().value.is_available(); }
  // The value of an array of one element, computed if need be and converted to T. Throws
  // std::invalid_argument for another number of elements.
  template <class T>
  T item() const;

  // size() elements in row-major order. Throws std::runtime_error before eval().
  template <class T>
  T* data() {
    if (desc().own_layout) return static_cast<T*>(const_cast<void*>(desc().value.raw_data()));
    return static_cast<T*>(desc().value.data<void>());
  }
  template <class T>
  const T* data() const {
    if (desc().own_layout) return static_cast<const T*>(desc().value.raw_data());
    return static_cast<const T*>(std::as_const(desc().value).data<void>());
  }

  // The entries along the first axis.
  struct ArrayIterator {
    using iterator_category = std::random_access_iterator_tag;
    using difference_type = size_t;
    using value_type = const array;
    using reference = value_type;

    // Throws std::invalid_argument for an array without dimensions.
    explicit ArrayIterator(const array& whole, int index = 0) : whole_(whole), index_(index) {
      if (whole.ndim() == 0) {
        throw std::invalid_argument("[array] An array without dimensions has no entries to visit.");
      }
    }
    reference operator*() const { return array(heddle::take(whole_, index_, 0)); }
    ArrayIterator& operator+(difference_type n) {
      index_ += static_cast<int>(n);
      return *this;
    }
    ArrayIterator& operator++() {
      index_++;
      return *this;
    }
    friend bool operator==(const ArrayIterator& a, const ArrayIterator& b) {
      return a.whole_.id() == b.whole_.id() && a.index_ == b.index_;
    }

   private:
    const array& whole_;
    int index_;
  };
  ArrayIterator begin() const { return ArrayIterator(*this); }
  ArrayIterator end() const { return ArrayIterator(*this, ndim() ? shape(0) : 0); }

  std::uintptr_t id() const { return desc().value.id(); }

  struct Flags {
    bool contiguous : 1;
    bool row_contiguous : 1;
    bool col_contiguous : 1;  // at most one dimension is longer than one
  };
  const Flags& flags() const { return desc().flags; }
  // Elements of the memory behind data().
  size_t data_size() const { return desc().own_layout ? desc().value.data_size() : size(); }
  // Of data() in buffer(), in bytes.
  int64_t offset() const { return desc().value.offset(); }
  allocator::Buffer buffer() const { return desc().value.buffer(); }
  size_t buffer_size() const { return allocator::allocator().size(buffer()); }

  void overwrite_descriptor(const array& other) { *this = other; }

  // --- the graph: what is here, heddle/array.h explains; mlx/primitives.h has the classes
  // -------

  array(Shape shape, Dtype dtype, std::shared_ptr<Primitive> primitive, std::vector<array> inputs);
  static std::vector<array> make_arrays(std::vector<Shape> shapes, const std::vector<Dtype>& dtypes,
                                        const std::shared_ptr<Primitive>& primitive,
                                        const std::vector<array>& inputs);
  explicit array(allocator::Data data, Shape shape, Dtype dtype);
  static array unsafe_weak_copy(const array& other);

  bool has_primitive() const { return desc().value.has_primitive(); }
  // Throws std::invalid_argument if there is none.
  Primitive& primitive() const { return *primitive_ptr(); }
  std::shared_ptr<Primitive>& primitive_ptr() const;
  std::uintptr_t primitive_id() const {
    return has_primitive() ? reinterpret_cast<std::uintptr_t>(primitive_ptr().get()) : 0;
  }
  // Copies of what the graph holds: to change them does not change the graph.
  std::vector<array>& inputs() { return shown(desc().inputs, desc().value.inputs()); }
  const std::vector<array>& inputs() const { return shown(desc().inputs, desc().value.inputs()); }
  std::vector<array>& siblings() { return shown(desc().siblings, others()); }
  const std::vector<array>& siblings() const { return shown(desc().siblings, others()); }
  int sibling_position() const { return desc().value.output_index(); }
  std::vector<array> outputs() const;
  void detach() { desc().value.detach(); }
  bool is_tracer() const { return desc().value.is_tracer(); }
  void set_tracer(bool is_tracer) { desc().value.set_tracer(is_tracer); }

  enum Status {
    unscheduled,
    evaluated,  // in MLX, while a stream computes; here arrays are available by then
    available
  };
  Status status() const { return is_available() ? available : unscheduled; }
  void wait() { eval(); }

  // True in eval_cpu of an input that nobody else holds.
  bool is_donatable() const { return desc_.use_count() == 1 && desc().donatable; }
  void set_data(allocator::Data data) {
    desc().value.set_data(std::move(data));
    desc().follow();
  }
  // `data_size` and `flags` follow from shape and strides, whatever is passed.
  void set_data(allocator::Data data, size_t data_size, Strides strides, Flags flags,
                int64_t offset = 0);
  void copy_shared_buffer(const array& other) {
    desc().value.copy_shared_buffer(other);
    desc().follow();
  }
  void copy_shared_buffer(const array& other, const Strides& strides, Flags flags, size_t data_size,
                          int64_t offset = 0);

  // --- what programs must do without, each with the reason -------------------------------------

  template <class T = void>
  void data_shared_ptr() const {
    static_assert(!std::is_same_v<T, T>,
                  "heddle counts the holders of memory inside its buffers: ask is_donatable()");
  }
  template <class T>
  void set_siblings(T&&, uint16_t) const {
    static_assert(!std::is_same_v<T, T>, "make all results at once: make_arrays()");
  }
  template <class T>
  void set_status(T) const {
    static_assert(!std::is_same_v<T, T>, "an array is available when set_data gave it memory");
  }
  template <class T = void>
  void event() const {
    static_assert(!std::is_same_v<T, T>, "results are complete when eval_cpu returns");
  }
  template <class T>
  void attach_event(T) const {
    static_assert(!std::is_same_v<T, T>, "results are complete when eval_cpu returns");
  }
  template <class T = void>
  void detach_event() const {
    static_assert(!std::is_same_v<T, T>, "results are complete when eval_cpu returns");
  }

  // For eval_cpu: an input that may be handed to a result, if nobody else holds it.
  static array operand(const heddle::Array& value) {
    const bool donatable = value.is_donatable();
    array a(value);
    a.desc().donatable = donatable;
    return a;
  }

 private:
  struct Desc {
    explicit Desc(heddle::Array a)
        : value(std::move(a)),
          shape(value.shape().begin(), value.shape().end()),
          strides(shape.size()) {
      // MLX's sizes have 32 bits: a larger one is refused here.
      auto fits = [](int64_t n) { return n <= heddle::max_dimension; };
      const heddle::Shape& sizes = value.shape();
      if (!std::all_of(sizes.begin(), sizes.end(), fits)) heddle::check_shape("array", sizes);
      row_major();
    }
    void row_major() {
      int64_t step = 1;
      for (size_t i = shape.size(); i-- > 0;) {
        strides[i] = step;
        step *= shape[i];
      }
      auto longer = [](ShapeElem n) { return n > 1; };
      flags = {true, true, std::count_if(shape.begin(), shape.end(), longer) <= 1};
      own_layout = false;
    }
    // After a primitive gave it memory.
    void follow() {
      const heddle::Array::Layout layout = value.layout();
      row_major();
      if (layout.row_contiguous) return;
      own_layout = true;
      strides = Strides(value.strides().begin(), value.strides().end());
      flags = {layout.contiguous, layout.row_contiguous, layout.col_contiguous};
    }
    heddle::Array value;
    Shape shape;
    Strides strides;
    Flags flags;
    bool own_layout = false;  // strides and data() are as the memory lies
    bool donatable = false;
    // What members that give references have shown.
    std::shared_ptr<Primitive> primitive;
    std::vector<array> inputs, siblings;
  };

  // Copies of an array, which threads may look at, share what has been shown.
  static std::mutex& showing() {
    static std::mutex mutex;
    return mutex;
  }
  // `cache` with the arrays of the graph as they are now; the same references while these stay.
  static std::vector<array>& shown(std::vector<array>& cache, const heddle::Arrays& now) {
    std::lock_guard<std::mutex> lock(showing());
    auto same = [](const array& a, const heddle::Array& b) { return a.id() == b.id(); };
    if (!std::equal(cache.begin(), cache.end(), now.begin(), now.end(), same)) {
      cache.assign(now.begin(), now.end());
    }
    return cache;
  }
  heddle::Arrays others() const {
    heddle::Arrays all = desc().value.outputs();
    all.erase(all.begin() + (all.size() > 1 ? sibling_position() : 0));
    return all;
  }

  Desc& desc() const {
    if (!desc_) throw std::invalid_argument("[array] This array was moved from.");
    return *desc_;
  }
  size_t counted(int dim) const {
    return static_cast<size_t>(dim < 0 ? dim + static_cast<int>(ndim()) : dim);
  }

  std::shared_ptr<Desc> desc_;
};

// --- MLX's types as heddle's, and back ----------------------------------------------------------

namespace detail {

inline const heddle::Array& in(const array& a) { return a; }
inline heddle::Arrays in(const std::vector<array>& arrays) {
  return {arrays.begin(), arrays.end()};
}
inline heddle::Shape in(const Shape& shape) { return {shape.begin(), shape.end()}; }
inline heddle::Strides in(const Strides& strides) { return {strides.begin(), strides.end()}; }
inline heddle::Dtype in(const Dtype& dtype) { return dtype; }
inline std::optional<heddle::Array> in(const std::optional<array>& a) {
  return a ? std::optional<heddle::Array>(*a) : std::nullopt;
}
inline std::optional<heddle::Dtype> in(const std::optional<Dtype>& dtype) {
  return dtype ? std::optional<heddle::Dtype>(*dtype) : std::nullopt;
}

inline std::vector<array> out(heddle::Arrays arrays) {
  return {std::make_move_iterator(arrays.begin()), std::make_move_iterator(arrays.end())};
}
inline std::pair<array, array> out(std::pair<heddle::Array, heddle::Array> pair) {
  return {array(std::move(pair.first)), array(std::move(pair.second))};
}

// heddle's type for what is converted element by element: the same bytes.
template <class T>
using Element = std::conditional_t<
    std::is_base_of_v<std::complex<float>, T>, std::complex<float>,
    std::conditional_t<
        std::is_base_of_v<heddle::float16_t, T>, heddle::float16_t,
        std::conditional_t<std::is_base_of_v<heddle::bfloat16_t, T>, heddle::bfloat16_t, T>>>;

template <class It>
heddle::Array collect(It data, const Shape& shape, Dtype dtype) {
  using T = Element<typename std::iterator_traits<It>::value_type>;
  static_assert(MemoryDtype<T>::known,
                "arrays hold no elements of this type: convert them to a number");
  constexpr heddle::Dtype memory = MemoryDtype<T>::value;
  heddle::Shape dims = in(shape);
  heddle::check_shape("array", dims, sizeof(T));
  auto count = static_cast<size_t>(heddle::element_count(dims));
  auto values = std::make_unique<T[]>(count);  // not a vector: that packs bools
  for (size_t i = 0; i < count; i++, ++data) values[i] = *data;
  return heddle::Array::from_memory(values.get(), memory, dims, dtype);
}

}  // namespace detail

template <class T>
  requires(!std::is_base_of_v<heddle::Array, T>)
array::array(T value, Dtype dtype) : array(detail::collect(&value, {}, dtype)) {}
inline array::array(const std::complex<float>& value, Dtype dtype)
    : array(detail::collect(&value, {}, dtype)) {}
template <class It>
array::array(It data, Shape shape, Dtype dtype) : array(detail::collect(data, shape, dtype)) {}
template <class T>
array::array(std::initializer_list<T> data, Dtype dtype)
    : array(data.begin(), Shape{static_cast<ShapeElem>(data.size())}, dtype) {}
inline array::array(std::initializer_list<float> data)
    : array(data.begin(), Shape{static_cast<ShapeElem>(data.size())}, float32) {}
inline array::array(std::initializer_list<int> data, Dtype dtype)
    : array(data.begin(), Shape{static_cast<ShapeElem>(data.size())}, dtype) {}
template <class T>
array::array(std::initializer_list<T> data, Shape shape, Dtype dtype)
    : array(data.begin(), Shape{static_cast<ShapeElem>(data.size())}, dtype) {
  *this = array(heddle::reshape(*this, detail::in(shape)));
}
inline array::array(void* data, Shape shape, Dtype dtype, const std::function<void(void*)>& deleter)
    : array(heddle::Array::adopt_memory(data, detail::in(shape), dtype, deleter)) {}

inline array::array(allocator::Data data, Shape shape, Dtype dtype)
    : array(heddle::Array(std::move(data), detail::in(shape), dtype)) {}
inline array array::unsafe_weak_copy(const array& other) {
  array copy(heddle::Array::unsafe_weak_copy(other));
  if (other.desc().own_layout) copy.desc().follow();
  return copy;
}
inline std::vector<array> array::outputs() const { return detail::out(desc().value.outputs()); }
inline void array::set_data(allocator::Data data, size_t, Strides strides, Flags, int64_t offset) {
  desc().value.set_data(std::move(data), detail::in(strides), offset);
  desc().follow();
}
inline void array::copy_shared_buffer(const array& other, const Strides& strides, Flags, size_t,
                                      int64_t offset) {
  desc().value.copy_shared_buffer(other, detail::in(strides), offset);
  desc().follow();
}

template <class T>
T array::item() const {
  if constexpr (std::is_same_v<T, complex128_t>) return item<complex64_t>();
  else return static_cast<T>(desc().value.item<detail::Element<T>>());
}

// --- templates over arrays ----------------------------------------------------------------------

template <class T>
inline constexpr bool is_array_v = std::is_same_v<std::remove_cvref_t<T>, array>;
template <class... T>
inline constexpr bool is_arrays_v = (is_array_v<T> && ...);
template <class... T>
using enable_for_arrays_t = std::enable_if_t<is_arrays_v<T...>>;

}  // namespace mlx::core

#include "mlx/primitive.h"
