// The bounded reader that every file format is read through: a cursor over bytes in memory. Each
// read is checked against the bytes that are left before anything is allocated, in arithmetic that
// cannot overflow. What does not fit is refused with one UnsafeFileError: "[op] file: offset 12,
// field: problem."
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "heddle/dtype.h"
#include "heddle/shape.h"

namespace heddle::io {

constexpr size_t max_rank = 64;

// Text of a file as part of a one-line message in any encoding: printable ASCII, the rest as \xNN,
// cut at `limit` bytes.
std::string printable(std::string_view text, size_t limit = 160);
// A path as part of a message: itself, unless that would not be one line of UTF-8 of a usual
// length.
std::string shown_path(std::string_view path);

bool is_utf8(std::string_view text);
bool is_ascii(std::string_view text);

// The file and the operation, for messages. Must outlive its readers.
struct Origin {
  const char* op;
  std::string file;
  [[noreturn]] void refuse(uint64_t offset, std::string_view field, std::string_view problem) const;
};

// Shape and byte count of an array that a file claims to hold.
struct Extent {
  Shape shape;
  uint64_t bytes = 0;
};

class Reader {
 public:
  // `base` is the offset of `data` in its file, for messages.
  Reader(const Origin& origin, const void* data, uint64_t bytes, uint64_t base = 0)
      : origin_(&origin), data_(static_cast<const char*>(data)), size_(bytes), base_(base) {}
  // The same for a part that `whole` has taken.
  Reader(const Reader& whole, const char* data, uint64_t bytes, uint64_t base)
      : Reader(*whole.origin_, data, bytes, base) {}

  uint64_t offset() const { return base_ + position_; }
  uint64_t remaining() const { return size_ - position_; }
  const char* here() const { return data_ + position_; }

  // The next `n` bytes, which stay where they are.
  const char* take(uint64_t n, std::string_view field);
  // Goes to `offset` of the file.
  void seek(uint64_t offset, std::string_view field);

  // A little-endian number.
  template <class T>
    requires std::is_arithmetic_v<T> &&(!std::is_same_v<T, bool>)T number(std::string_view field) {
      T value;
      std::memcpy(&value, take(sizeof(T), field), sizeof(T));
      return value;
    }
    // One byte that must be 0 or 1.
    bool boolean(std::string_view field);
    // A number of things to follow, of at least `item_bytes` bytes each: never more than there is
    // room for.
    template <class T = uint64_t>
    uint64_t count(std::string_view field, uint64_t item_bytes,
                   uint64_t limit = std::numeric_limits<uint64_t>::max()) {
      return check_count(number<T>(field), sizeof(T), field, item_bytes, limit);
    }
    // A count of type T, then that many bytes.
    template <class T = uint64_t>
    std::string string(std::string_view field,
                       uint64_t limit = std::numeric_limits<uint64_t>::max()) {
      uint64_t n = count<T>(field, 1, limit);
      return std::string(take(n, field), n);
    }
    // Refuses dimensions beyond the largest that arrays have and products that overflow.
    Extent extent(std::span<const uint64_t> dimensions, Dtype dtype, std::string_view field) const;

    [[noreturn]] void refuse(std::string_view field, std::string_view problem) const {
      origin_->refuse(offset(), field, problem);
    }

   private:
    uint64_t check_count(uint64_t n, uint64_t number_bytes, std::string_view field,
                         uint64_t item_bytes, uint64_t limit) const;

    const Origin* origin_;
    const char* data_;
    uint64_t size_;
    uint64_t base_;
    uint64_t position_ = 0;
};

}  // namespace heddle::io
