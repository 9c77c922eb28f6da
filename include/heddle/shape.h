// Shapes and strides: short vectors of 64-bit integers that live without an allocation up to
// six dimensions. Strides count elements. A dimension is at most 2^31 - 1 (checked at creation).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

namespace heddle {

// A vector of trivially copyable elements with room for N of them in place.
template <class T, int N>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  InlineVector() = default;
  explicit InlineVector(size_t n, T value = T{}) { resize(n, value); }
  InlineVector(std::initializer_list<T> values) : InlineVector(values.begin(), values.end()) {}
  template <class It, class = typename std::iterator_traits<It>::iterator_category>
  InlineVector(It first, It last) {
    reserve(static_cast<size_t>(std::distance(first, last)));
    for (; first != last; ++first) data_[size_++] = static_cast<T>(*first);
  }
  InlineVector(const std::vector<T>& v) : InlineVector(v.begin(), v.end()) {}
  InlineVector(const InlineVector& o) { assign(o.data_, o.size_); }
  InlineVector(InlineVector&& o) noexcept { steal(o); }
  InlineVector& operator=(const InlineVector& o) {
    if (this != &o) assign(o.data_, o.size_);
    return *this;
  }
  InlineVector& operator=(InlineVector&& o) noexcept {
    if (this != &o) {
      release();
      steal(o);
    }
    return *this;
  }
  ~InlineVector() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  auto rbegin() const { return std::make_reverse_iterator(end()); }
  auto rend() const { return std::make_reverse_iterator(begin()); }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  T& front() { return data_[0]; }
  const T& front() const { return data_[0]; }

  void reserve(size_t n) {
    if (n <= capacity_) return;
    T* grown = static_cast<T*>(::operator new(n * sizeof(T)));
    std::memcpy(static_cast<void*>(grown), data_, size_ * sizeof(T));
    release();
    data_ = grown;
    capacity_ = static_cast<uint32_t>(n);
  }
  void resize(size_t n, T value = T{}) {
    reserve(n);
    for (size_t i = size_; i < n; i++) data_[i] = value;
    size_ = static_cast<uint32_t>(n);
  }
  void clear() { size_ = 0; }
  void push_back(T value) {
    if (size_ == capacity_) reserve(2 * static_cast<size_t>(capacity_));
    data_[size_++] = value;
  }
  void pop_back() { --size_; }
  T* insert(const T* at, T value) {
    size_t i = static_cast<size_t>(at - data_);
    push_back(value);
    std::memmove(static_cast<void*>(data_ + i + 1), data_ + i, (size_ - 1 - i) * sizeof(T));
    data_[i] = value;
    return data_ + i;
  }
  T* erase(const T* at) {
    size_t i = static_cast<size_t>(at - data_);
    std::memmove(static_cast<void*>(data_ + i), data_ + i + 1, (size_ - 1 - i) * sizeof(T));
    --size_;
    return data_ + i;
  }
  bool operator==(const InlineVector& o) const {
    return size_ == o.size_ && std::equal(begin(), end(), o.begin());
  }

 private:
  void assign(const T* from, size_t n) {
    size_ = 0;
    reserve(n);
    std::memcpy(static_cast<void*>(data_), from, n * sizeof(T));
    size_ = static_cast<uint32_t>(n);
  }
  void steal(InlineVector& o) {
    if (o.data_ == o.local()) {
      data_ = local();
      capacity_ = N;
      std::memcpy(static_cast<void*>(data_), o.data_, o.size_ * sizeof(T));
    } else {
      data_ = o.data_;
      capacity_ = o.capacity_;
      o.data_ = o.local();
      o.capacity_ = N;
    }
    size_ = o.size_;
    o.size_ = 0;
  }
  void release() {
    if (data_ != local()) ::operator delete(data_);
    data_ = local();
    capacity_ = N;
  }
  T* local() { return reinterpret_cast<T*>(storage_); }

  T* data_ = local();
  uint32_t size_ = 0;
  uint32_t capacity_ = N;
  alignas(T) unsigned char storage_[N * sizeof(T)];
};

using Shape = InlineVector<int64_t, 6>;
using Strides = InlineVector<int64_t, 6>;

inline constexpr int64_t max_dimension = INT32_MAX;

// The product of the dimensions; 1 for a scalar.
inline int64_t element_count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

// Strides of a dense row-major array.
inline Strides row_major_strides(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// True if the elements lie densely in row-major order (dimensions of size 1 do not matter).
inline bool is_row_contiguous(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

std::string to_string(const Shape& shape);  // "(2,3)", as MLX prints shapes in messages

// Throws std::overflow_error for a dimension beyond max_dimension or a product beyond 2^63,
// std::invalid_argument for a negative one; `op` is the prefix of the message.
void check_shape(const char* op, const Shape& shape, size_t itemsize = 1);

}  // namespace heddle
