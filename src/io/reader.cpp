#include "io/reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "heddle/errors.h"

namespace heddle::io {

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  for (unsigned char c : text.substr(0, limit)) {
    if (c >= 0x20 && c < 0x7f) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("\\x{:02x}", c);
    }
  }
  if (text.size() > limit) out += "...";
  return out;
}

std::string shown_path(std::string_view path) {
  constexpr size_t longest_path = 4096;  // of the system
  bool plain = path.size() <= longest_path && is_utf8(path) &&
               std::none_of(path.begin(), path.end(), [](char c) {
                 return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
               });
  return plain ? std::string(path) : printable(path);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
  size_t i = 0;
  auto next = [&](unsigned low = 0x80, unsigned high = 0xbf) {
    if (i >= text.size()) return false;
    unsigned c = static_cast<unsigned char>(text[i++]);
    return c >= low && c <= high;
  };
  while (i < text.size()) {
    unsigned c = static_cast<unsigned char>(text[i++]);
    bool good = c < 0x80;
    if (c >= 0xc2 && c <= 0xdf) good = next();
    if (c >= 0xe0 && c <= 0xef)
      good = next(c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) && next();
    if (c >= 0xf0 && c <= 0xf4) {
      good = next(c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) && next() && next();
    }
    if (!good) return false;
  }
  return true;
}

void Origin::refuse(uint64_t offset, std::string_view field, std::string_view problem) const {
  throw UnsafeFileError(fmt::format("[{}] {}: offset {}, {}: {}.", op, shown_path(file), offset,
                                    printable(field), printable(problem, 320)));
}

const char* Reader::take(uint64_t n, std::string_view field) {
  if (n > remaining()) {
    refuse(field, fmt::format("{} bytes are wanted, {} are left", n, remaining()));
  }
  const char* at = here();
  position_ += n;
  return at;
}

void Reader::seek(uint64_t offset, std::string_view field) {
  if (offset < base_ || offset - base_ > size_) {
    refuse(field,
           fmt::format("offset {} lies outside the {} bytes from {} on", offset, size_, base_));
  }
  position_ = offset - base_;
}

bool Reader::boolean(std::string_view field) {
  uint8_t value = number<uint8_t>(field);
  if (value > 1) {
    origin_->refuse(offset() - 1, field, fmt::format("{} is neither 0 nor 1", value));
  }
  return value != 0;
}

uint64_t Reader::check_count(uint64_t n, uint64_t number_bytes, std::string_view field,
                             uint64_t item_bytes, uint64_t limit) const {
  uint64_t at = offset() - number_bytes;
  if (n > limit)
    origin_->refuse(at, field, fmt::format("{} is more than the limit of {}", n, limit));
  if (n > remaining() / std::max<uint64_t>(item_bytes, 1)) {
    origin_->refuse(at, field,
                    fmt::format("{} times {} bytes do not fit in the {} bytes that follow", n,
                                item_bytes, remaining()));
  }
  return n;
}

Extent Reader::extent(std::span<const uint64_t> dimensions, Dtype dtype,
                      std::string_view field) const {
  if (dimensions.size() > max_rank) {
    refuse(field,
           fmt::format("{} dimensions are more than the limit of {}", dimensions.size(), max_rank));
  }
  Extent extent;
  uint64_t bytes = size_of(dtype);
  bool empty = false;
  for (uint64_t d : dimensions) {
    if (d > static_cast<uint64_t>(max_dimension)) {
      refuse(field, fmt::format("dimension {} is larger than {}", d, max_dimension));
    }
    empty |= d == 0;
    extent.shape.push_back(static_cast<int64_t>(d));
  }
  // With a 0 among them as well: strides are products too.
  for (uint64_t d : dimensions) {
    if (__builtin_mul_overflow(bytes, std::max<uint64_t>(d, 1), &bytes) ||
        bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      refuse(field, "the product of its dimensions overflows");
    }
  }
  extent.bytes = empty ? 0 : bytes;
  return extent;
}

}  // namespace heddle::io
