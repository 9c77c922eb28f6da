// The header of a safetensors file: JSON, taken apart as it is parsed, so that nothing the file
// claims is stored before it is checked and keys that occur twice are seen.
#pragma once

#include <vector>

#include "heddle/io.h"
#include "io/reader.h"

namespace heddle::io {

constexpr uint64_t max_safetensors_header = 100'000'000;  // the format's own limit
constexpr const char* safetensors_metadata_key = "__metadata__";

struct SafetensorsEntry {
  std::string name;
  Dtype dtype;
  Extent extent;
  uint64_t begin = 0;  // in the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by position; they cover the data without gaps
  Metadata metadata;
  uint64_t data_offset = 0;  // in the file
  uint64_t data_bytes = 0;   // what the entries cover
};

// `length` is the number before the header, which the caller has checked against the limit;
// `available` the bytes that follow the header, as far as that is known.
SafetensorsHeader parse_safetensors_header(const Origin& origin, const char* json, uint64_t length,
                                           uint64_t available = UINT64_MAX);

// Checks the number at the start of the file.
uint64_t check_safetensors_length(const Origin& origin, uint64_t length);

const char* safetensors_type_name(Dtype dtype);

}  // namespace heddle::io
