// Writing GGUF, version 3.
#include <fmt/format.h>

#include <stdexcept>

#include "heddle/io.h"
#include "io/gguf.h"
#include "io/reader.h"
#include "io/stored.h"

namespace heddle {
namespace {

constexpr uint32_t version = 3;
constexpr int max_number = 64;  // of the types that are written

template <class T>
void append(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}
void append(std::string& out, const std::string& text) {
  if (!io::is_utf8(text)) {
    throw std::invalid_argument(
        fmt::format("[save_gguf] '{}' is not valid UTF-8.", io::printable(text)));
  }
  append(out, static_cast<uint64_t>(text.size()));
  out += text;
}

// The type whose elements are those of memory.
uint32_t tensor_type(const std::string& name, const Array& array) {
  for (uint32_t number = 0; number < max_number; number++) {
    const io::GgufTensorType* type = io::gguf_tensor_type(number);
    if (type && type->dtype == array.dtype()) return number;
  }
  throw std::runtime_error(fmt::format("[save_gguf] dtype {} is not supported (array '{}').",
                                       name_of(array.dtype()), io::printable(name)));
}

void append_array(std::string& out, const std::string& key, const Array& array) {
  if (array.size() == 0) throw std::runtime_error("[save_gguf] Cannot save empty arrays.");
  if (array.ndim() > 1) {
    throw std::runtime_error("[save_gguf] Cannot save arrays with more than one dimension.");
  }
  const io::GgufValueType* found = nullptr;
  for (const auto& type : io::gguf_value_types) {
    if (type.dtype == array.dtype() && type.dtype != float64) found = &type;
  }
  if (!found) {
    throw std::invalid_argument(
        fmt::format("[save_gguf] array type {} not support for metadata (key '{}').",
                    name_of(array.dtype()), io::printable(key)));
  }
  if (array.ndim() == 1) append(out, static_cast<uint32_t>(io::GgufValue::array));
  append(out, found->number);
  if (array.ndim() == 1) append(out, static_cast<uint64_t>(array.size()));
  Array content = io::dense(array);
  out.append(content.data<char>(), content.nbytes());
}

void append_value(std::string& out, const std::string& key,
                  const GgufMetadata::mapped_type& value) {
  append(out, key);
  if (const auto* array = std::get_if<Array>(&value)) return append_array(out, key, *array);
  if (const auto* text = std::get_if<std::string>(&value)) {
    append(out, static_cast<uint32_t>(io::GgufValue::string));
    return append(out, *text);
  }
  const auto& texts = std::get<std::vector<std::string>>(value);
  append(out, static_cast<uint32_t>(io::GgufValue::array));
  append(out, static_cast<uint32_t>(io::GgufValue::string));
  append(out, static_cast<uint64_t>(texts.size()));
  for (const auto& text : texts) append(out, text);
}

uint64_t alignment_of(const GgufMetadata& metadata) {
  auto found = metadata.find(io::gguf_alignment_key);
  if (found == metadata.end()) return io::gguf_default_alignment;
  const Array* value = std::get_if<Array>(&found->second);
  uint32_t alignment =
      value && value->dtype() == uint32 && value->ndim() == 0 ? value->item<uint32_t>() : 0;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    throw std::invalid_argument(fmt::format(
        "[save_gguf] {} must be a uint32 that is a power of two.", io::gguf_alignment_key));
  }
  return alignment;
}

uint64_t padding_to(uint64_t offset, uint64_t alignment) {
  return (alignment - offset % alignment) % alignment;
}

void check_tensor(const std::string& name, const Array& array) {
  if (array.ndim() > static_cast<int>(io::gguf_max_rank) || name.size() > io::gguf_max_name) {
    throw std::invalid_argument(
        fmt::format("[save_gguf] GGUF holds arrays of at most {} dimensions with names of at most "
                    "{} bytes, got {} "
                    "dimensions and '{}'.",
                    io::gguf_max_rank, io::gguf_max_name, array.ndim(), io::printable(name)));
  }
}

}  // namespace

void save_gguf(const WriteFunction& write, const std::map<std::string, Array>& arrays,
               const GgufMetadata& metadata) {
  uint64_t alignment = alignment_of(metadata);
  std::string header;
  append(header, io::gguf_magic);
  append(header, version);
  append(header, static_cast<uint64_t>(arrays.size()));
  append(header, static_cast<uint64_t>(metadata.size()));
  const std::map<std::string, GgufMetadata::mapped_type> ordered(metadata.begin(), metadata.end());
  for (const auto& [key, value] : ordered) append_value(header, key, value);
  uint64_t offset = 0;
  Arrays all;
  for (const auto& [name, array] : arrays) {
    check_tensor(name, array);
    append(header, name);
    append(header, static_cast<uint32_t>(array.ndim()));
    for (int axis = array.ndim() - 1; axis >= 0; axis--) {
      append(header, static_cast<uint64_t>(array.shape(axis)));
    }
    append(header, tensor_type(name, array));
    append(header, offset);
    offset += array.nbytes() + padding_to(array.nbytes(), alignment);
    all.push_back(array);
  }
  eval(all);
  uint64_t pending = padding_to(header.size(), alignment);  // written before the next tensor
  write(header.data(), header.size());
  for (const auto& [name, array] : arrays) {
    const std::string zeros(pending, '\0');
    write(zeros.data(), zeros.size());
    Array content = io::dense(array);
    write(content.raw_data(), content.nbytes());
    pending = padding_to(content.nbytes(), alignment);
  }
}

void save_gguf(std::string path, const std::map<std::string, Array>& arrays,
               const GgufMetadata& metadata) {
  if (!path.ends_with(".gguf")) path += ".gguf";
  io::write_atomically("save_gguf", path,
                       [&](const WriteFunction& sink) { save_gguf(sink, arrays, metadata); });
}

}  // namespace heddle
