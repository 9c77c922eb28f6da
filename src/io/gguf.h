// What the GGUF reader and writer share: the numbers of value and tensor types, and the layouts of
// blocks.
#pragma once

#include <cstdint>
#include <optional>

#include "heddle/dtype.h"
#include "heddle/half.h"

namespace heddle::io {

constexpr uint32_t gguf_magic = 0x46554747;  // "GGUF"
constexpr uint32_t gguf_default_alignment = 32;
constexpr const char* gguf_alignment_key = "general.alignment";
constexpr size_t gguf_max_rank = 4, gguf_max_name = 64;

// Metadata values by their numbers; string and array have no dtype.
enum class GgufValue : uint32_t { string = 8, array = 9 };
struct GgufValueType {
  uint32_t number;
  Dtype dtype;
};
constexpr GgufValueType gguf_value_types[] = {
    {0, Dtype::uint8},   {1, Dtype::int8},   {2, Dtype::uint16},   {3, Dtype::int16},
    {4, Dtype::uint32},  {5, Dtype::int32},  {6, Dtype::float32},  {7, Dtype::bool_},
    {10, Dtype::uint64}, {11, Dtype::int64}, {12, Dtype::float64},
};

// A kind of tensor. One of: elements of a dtype; blocks that are kept quantized, as scale * q +
// bias with unsigned q; blocks that are decoded to floats; or known by name alone.
struct GgufTensorType {
  uint32_t number;
  const char* name;
  uint32_t values = 0, bytes = 0;  // of a block
  std::optional<Dtype> dtype = std::nullopt;
  void (*decode)(const uint8_t* block, float* out) = nullptr;
  int bits = 0;  // of q
  void (*unpack)(const uint8_t* block, uint32_t* words) = nullptr;
  float16_t (*bias)(const uint8_t* block) = nullptr;
};
// Nothing for a number without a name.
const GgufTensorType* gguf_tensor_type(uint32_t number);

}  // namespace heddle::io
