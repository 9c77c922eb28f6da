// Reading GGUF: metadata, tensor descriptions, and tensors mapped or unpacked when they are first
// needed.
#include "io/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/threads.h"
#include "heddle/io.h"
#include "heddle/ops.h"
#include "io/stored.h"

namespace heddle {
namespace {

using Value = GgufMetadata::mapped_type;

constexpr uint64_t max_key_bytes = 65535;  // the format's own limit
constexpr std::string_view weight_suffix = ".weight";

struct Tensor {
  std::string name;
  const io::GgufTensorType* type;
  io::Extent extent;    // of the elements; bytes are those in the file
  uint64_t offset = 0;  // in the data
};

std::string text(io::Reader& r, const std::string& field, uint64_t limit = UINT64_MAX) {
  uint64_t at = r.offset();
  std::string value = r.string(field, limit);
  if (!io::is_utf8(value)) r.refuse(field, fmt::format("the text at {} is not valid UTF-8", at));
  return value;
}

// `count` elements as an array; float64 narrows to float32, MLX's widest of metadata.
Array values(io::Reader& r, Dtype dtype, const Shape& shape, uint64_t count,
             const std::string& field) {
  if (is_bool(dtype)) {
    io::Reader bytes = r;
    for (uint64_t i = 0; i < count; i++) bytes.boolean(field);
  }
  const char* at = r.take(count * size_of(dtype), field);
  return Array::from_memory(at, dtype, shape, dtype == float64 ? float32 : dtype);
}

Value value_of(io::Reader& r, const std::string& field) {
  auto dtype_of = [&](uint32_t number) {
    for (const auto& t : io::gguf_value_types) {
      if (t.number == number) return t.dtype;
    }
    r.refuse(field, fmt::format("the value type {} is not known, or arrays are nested", number));
  };
  constexpr auto string = static_cast<uint32_t>(io::GgufValue::string);
  constexpr auto array = static_cast<uint32_t>(io::GgufValue::array);
  uint32_t type = r.number<uint32_t>(field);
  if (type == string) return text(r, field);
  if (type != array) return values(r, dtype_of(type), Shape{}, 1, field);
  type = r.number<uint32_t>(field);
  if (type == string) {
    uint64_t count = r.count(field, sizeof(uint64_t));
    std::vector<std::string> texts;
    for (uint64_t i = 0; i < count; i++) texts.push_back(text(r, field));
    return texts;
  }
  Dtype dtype = dtype_of(type);
  uint64_t count = r.count(field, size_of(dtype), static_cast<uint64_t>(max_dimension));
  return values(r, dtype, Shape{static_cast<int64_t>(count)}, count, field);
}

Tensor tensor_of(io::Reader& r, uint64_t alignment) {
  Tensor t;
  // Longer than what is written: MLX writes such names.
  t.name = text(r, "tensor name", max_key_bytes);
  auto field = [&](const char* of) { return fmt::format("tensor '{}', {}", t.name, of); };
  uint32_t rank = r.number<uint32_t>(field("dimensions"));
  if (rank > io::gguf_max_rank) {
    r.refuse(field("dimensions"),
             fmt::format("{} are more than the limit of {}", rank, io::gguf_max_rank));
  }
  std::vector<uint64_t> dimensions;
  for (uint32_t i = 0; i < rank; i++) dimensions.push_back(r.number<uint64_t>(field("dimensions")));
  std::reverse(dimensions.begin(), dimensions.end());
  uint32_t number = r.number<uint32_t>(field("type"));
  t.type = io::gguf_tensor_type(number);
  if (!t.type) r.refuse(field("type"), fmt::format("the number {} is none of a type", number));
  if (!t.type->dtype && t.type->values == 0) {
    r.refuse(field("type"), fmt::format("blocks of {} are not supported", t.type->name));
  }
  t.extent = r.extent(dimensions, t.type->dtype.value_or(uint8), field("dimensions"));
  if (!t.type->dtype) {
    if (dimensions.empty() || dimensions.back() % t.type->values != 0) {
      r.refuse(field("dimensions"),
               fmt::format("rows must be a multiple of the {} values of a block of {}",
                           t.type->values, t.type->name));
    }
    // Less than what the elements took as bytes times 2; the division is exact.
    t.extent.bytes = t.extent.bytes / t.type->values * t.type->bytes;
  }
  t.offset = r.number<uint64_t>(field("offset"));
  if (t.offset % alignment != 0) {
    r.refuse(field("offset"),
             fmt::format("{} is no multiple of the alignment {}", t.offset, alignment));
  }
  return t;
}

uint64_t alignment_of(const GgufMetadata& metadata, const io::Reader& r) {
  auto found = metadata.find(io::gguf_alignment_key);
  if (found == metadata.end()) return io::gguf_default_alignment;
  const Array* value = std::get_if<Array>(&found->second);
  uint32_t alignment =
      value && value->dtype() == uint32 && value->ndim() == 0 ? value->item<uint32_t>() : 0;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    r.refuse(io::gguf_alignment_key, "a uint32 that is a power of two is wanted");
  }
  return alignment;
}

// Shape of `per_block` elements for each block of a tensor.
Shape block_shape(const Tensor& t, int64_t per_block) {
  Shape shape = t.extent.shape;
  shape.back() = shape.back() / t.type->values * per_block;
  return shape;
}

// An array of `per_block` elements of T for each block, made by f(block, elements).
template <class T, class F>
Array from_blocks(const io::Bytes& file, const char* at, const Tensor& t, Dtype dtype,
                  int64_t per_block, const Stream& stream, F f) {
  Shape shape = block_shape(t, per_block);
  io::Extent extent{shape, static_cast<uint64_t>(element_count(shape)) * sizeof(T)};
  int64_t blocks = static_cast<int64_t>(t.extent.bytes / t.type->bytes);
  auto fetch = [owner = file.owner, at, blocks, per_block, type = t.type, f](char* to) {
    const auto* from = reinterpret_cast<const uint8_t*>(at);
    T* out = reinterpret_cast<T*>(to);
    parallel_for(blocks, std::max<int64_t>(parallel_grain / type->values, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; i++)
                     f(from + i * type->bytes, out + i * per_block);
                 });
  };
  if (extent.bytes == 0) return zeros(shape, dtype, stream);
  return io::lazy_array(extent, dtype, {}, stream, std::move(fetch));
}

void add_tensor(NamedArrays& arrays, const io::Origin& origin, const io::Bytes& file,
                const char* at, const Tensor& t, const Stream& stream) {
  auto add = [&](const std::string& name, Array array) {
    if (!arrays.emplace(name, std::move(array)).second) {
      origin.refuse(static_cast<uint64_t>(at - file.data), fmt::format("tensor '{}'", name),
                    "the name occurs twice");
    }
  };
  const io::GgufTensorType& type = *t.type;
  if (type.dtype) {
    add(t.name, io::stored_array(file, at, t.extent, *type.dtype, stream));
  } else if (type.unpack) {
    std::string base = t.name;
    if (base.ends_with(weight_suffix)) base.resize(base.size() - weight_suffix.size());
    add(t.name, from_blocks<uint32_t>(file, at, t, uint32, type.values * type.bits / 32, stream,
                                      type.unpack));
    add(base + ".scales", from_blocks<uint16_t>(file, at, t, float16, 1, stream,
                                                [](const uint8_t* block, uint16_t* scale) {
                                                  std::memcpy(scale, block, sizeof(*scale));
                                                }));
    add(base + ".biases",
        from_blocks<uint16_t>(
            file, at, t, float16, 1, stream,
            [bias = type.bias](const uint8_t* block, uint16_t* out) { *out = bias(block).bits; }));
  } else {
    add(t.name, from_blocks<uint16_t>(file, at, t, float16, type.values, stream,
                                      [&type](const uint8_t* block, uint16_t* out) {
                                        float decoded[256];
                                        type.decode(block, decoded);
                                        for (uint32_t i = 0; i < type.values; i++) {
                                          out[i] = float16_t(decoded[i]).bits;
                                        }
                                      }));
  }
}

std::pair<NamedArrays, GgufMetadata> read(const io::Bytes& file, const io::Origin& origin,
                                          const Stream& stream) {
  io::Reader r(origin, file.data, file.size);
  if (r.number<uint32_t>("magic number") != io::gguf_magic) {
    origin.refuse(0, "magic number", "this is no GGUF file");
  }
  uint32_t version = r.number<uint32_t>("version");
  if (version != 2 && version != 3) {
    origin.refuse(4, "version",
                  (version & 0xffff) == 0 && version != 0
                      ? std::string("the file is big-endian, which is not supported")
                      : fmt::format("{} is neither 2 nor 3", version));
  }
  constexpr uint64_t smallest_tensor = 8 + 4 + 4 + 8, smallest_value = 8 + 1 + 4 + 1;
  uint64_t tensor_count = r.count("tensor count", smallest_tensor);
  uint64_t value_count = r.count("value count", smallest_value);

  std::pair<NamedArrays, GgufMetadata> result;
  auto& [arrays, metadata] = result;
  for (uint64_t i = 0; i < value_count; i++) {
    std::string key = text(r, "key", max_key_bytes);
    if (key.empty()) r.refuse("key", "it is empty");
    Value value = value_of(r, fmt::format("value '{}'", key.substr(0, 64)));
    if (!metadata.emplace(key, std::move(value)).second) {
      r.refuse(fmt::format("value '{}'", key.substr(0, 64)), "the key occurs twice");
    }
  }
  uint64_t alignment = alignment_of(metadata, r);
  std::vector<Tensor> tensors;
  std::set<std::string> names;
  for (uint64_t i = 0; i < tensor_count; i++) {
    tensors.push_back(tensor_of(r, alignment));
    if (!names.insert(tensors.back().name).second) {
      r.refuse(fmt::format("tensor '{}'", tensors.back().name), "the name occurs twice");
    }
  }
  if (tensors.empty()) return result;

  uint64_t padding = (alignment - r.offset() % alignment) % alignment;
  bool is_all_empty = std::all_of(tensors.begin(), tensors.end(),
                                  [](const Tensor& t) { return t.extent.bytes == 0; });
  if (is_all_empty) padding = std::min(padding, r.remaining());
  r.take(padding, "padding");
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::pair(a.offset, a.extent.bytes) < std::pair(b.offset, b.extent.bytes);
  });
  uint64_t covered = 0, available = r.remaining();
  for (const Tensor& t : tensors) {
    auto refuse = [&](const std::string& problem) {
      r.refuse(fmt::format("tensor '{}', offset", t.name), problem);
    };
    if (t.offset > available || t.extent.bytes > available - t.offset) {
      refuse(fmt::format("{} bytes from {} on do not lie in the {} bytes of data", t.extent.bytes,
                         t.offset, available));
    }
    if (t.offset < covered)
      refuse(fmt::format("it overlaps with the tensor that ends at {}", covered));
    covered = std::max(covered, t.offset + t.extent.bytes);
    add_tensor(arrays, origin, file, r.here() + t.offset, t, stream);
  }
  return result;
}

}  // namespace

std::pair<NamedArrays, GgufMetadata> load_gguf(const std::string& path, StreamOrDevice s) {
  Stream stream = to_stream(s);
  return read(io::map_file("load_gguf", path), {"load_gguf", path}, stream);
}

std::pair<NamedArrays, GgufMetadata> load_gguf(const ReadFunction& from, const std::string& label,
                                               StreamOrDevice s) {
  Stream stream = to_stream(s);
  return read(io::read_bytes(from, UINT64_MAX), {"load_gguf", label}, stream);
}

}  // namespace heddle
