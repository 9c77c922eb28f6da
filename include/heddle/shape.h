// Shapes and strides: short vectors of 64-bit integers that live without an allocation up to
// six dimensions. Strides count elements. A dimension is at most 2^31 - 1 (checked at creation).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle {

[[noreturn]] void throw_out_of_range(size_t index, size_t size);

// A vector of trivially copyable elements with room for N of them in place.
template <class T, int N>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  using reference = T&;
  using const_reference = const T&;
  using iterator = T*;
  using const_iterator = const T*;
  using size_type = size_t;
  using difference_type = std::ptrdiff_t;

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
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  const T* cbegin() const { return begin(); }
  const T* cend() const { return end(); }
  auto rbegin() { return std::make_reverse_iterator(end()); }
  auto rend() { return std::make_reverse_iterator(begin()); }
  auto rbegin() const { return std::make_reverse_iterator(end()); }
  auto rend() const { return std::make_reverse_iterator(begin()); }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  // Checked: throws std::out_of_range.
  T& at(size_t i) { return data_[checked(i)]; }
  const T& at(size_t i) const { return data_[checked(i)]; }
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
  template <class... Args>
  T& emplace_back(Args&&... args) {
    push_back(T(std::forward<Args>(args)...));
    return back();
  }
  void pop_back() { --size_; }
  T* insert(const T* at, T value) { return insert(at, size_t{1}, value); }
  T* insert(const T* at, size_t n, T value) {
    T* gap = open_gap(at, n);
    std::fill_n(gap, n, value);
    return gap;
  }
  // The range may lie in this vector.
  template <class It, class = typename std::iterator_traits<It>::iterator_category>
  T* insert(const T* at, It first, It last) {
    InlineVector copied(first, last);
    T* gap = open_gap(at, copied.size());
    std::copy(copied.begin(), copied.end(), gap);
    return gap;
  }
  T* insert(const T* at, std::initializer_list<T> values) {
    return insert(at, values.begin(), values.end());
  }
  T* erase(const T* at) { return erase(at, at + 1); }
  T* erase(const T* first, const T* last) {
    size_t i = static_cast<size_t>(first - data_), n = static_cast<size_t>(last - first);
    std::memmove(static_cast<void*>(data_ + i), data_ + i + n, (size_ - n - i) * sizeof(T));
    size_ -= static_cast<uint32_t>(n);
    return data_ + i;
  }
  bool operator==(const InlineVector& o) const {
    return size_ == o.size_ && std::equal(begin(), end(), o.begin());
  }

 private:
  size_t checked(size_t i) const {
    if (i >= size_) throw_out_of_range(i, size_);
    return i;
  }
  T* open_gap(const T* at, size_t n) {
    size_t i = static_cast<size_t>(at - data_), old = size_;
    if (old + n > capacity_) reserve(std::max(old + n, 2 * static_cast<size_t>(capacity_)));
    std::memmove(static_cast<void*>(data_ + i + n), data_ + i, (old - i) * sizeof(T));
    size_ = static_cast<uint32_t>(old + n);
    return data_ + i;
  }
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

// "(2,3)"
template <class T, int N>
std::ostream& operator<<(std::ostream& stream, const InlineVector<T, N>& values) {
  const char* separator = "(";
  for (const T& v : values) {
    stream << separator << v;
    separator = ",";
  }
  return stream << (values.empty() ? "()" : ")");
}

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
