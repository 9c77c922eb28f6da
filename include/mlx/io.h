// Files in MLX's forms: unordered maps, and streams that are classes.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "mlx/array.h"

namespace heddle {

namespace io {

// What a program derives from to read from, or write to, a place of its own.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void read(char* data, size_t bytes) = 0;
  virtual void read(char* data, size_t bytes, size_t offset) = 0;
  virtual std::string label() const = 0;
};
class Writer {
 public:
  virtual ~Writer() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void write(const char* data, size_t bytes) = 0;
  virtual std::string label() const = 0;
};

// A Reader throws at the end; heddle's readers ask for no more than a file says it has.
inline ReadFunction bytes_of(std::shared_ptr<Reader> from) {
  return [from = std::move(from)](void* to, size_t bytes) {
    from->read(static_cast<char*>(to), bytes);
    return bytes;
  };
}
inline WriteFunction bytes_to(std::shared_ptr<Writer> to) {
  return [to = std::move(to)](const void* from, size_t bytes) {
    to->write(static_cast<const char*>(from), bytes);
  };
}

}  // namespace io

using GGUFMetaData = std::variant<std::monostate, Array, std::string, std::vector<std::string>>;
using GGUFLoad = std::pair<NamedArrays, std::unordered_map<std::string, GGUFMetaData>>;
using SafetensorsLoad = std::pair<NamedArrays, Metadata>;

inline Array load(std::shared_ptr<io::Reader> from, StreamOrDevice s = {}) {
  std::string label = from->label();
  return load(io::bytes_of(std::move(from)), label, s);
}
inline void save(std::shared_ptr<io::Writer> to, const Array& a) {
  save(io::bytes_to(std::move(to)), a);
}
inline SafetensorsLoad load_safetensors(std::shared_ptr<io::Reader> from, StreamOrDevice s = {}) {
  std::string label = from->label();
  return load_safetensors(io::bytes_of(std::move(from)), label, s);
}
inline void save_safetensors(std::string path, const NamedArrays& arrays,
                             const Metadata& metadata = {}) {
  save_safetensors(std::move(path), std::map<std::string, Array>(arrays.begin(), arrays.end()),
                   metadata);
}
inline void save_safetensors(std::shared_ptr<io::Writer> to, const NamedArrays& arrays,
                             const Metadata& metadata = {}) {
  save_safetensors(io::bytes_to(std::move(to)),
                   std::map<std::string, Array>(arrays.begin(), arrays.end()), metadata);
}
// std::monostate stands for metadata without a value, which a file does not hold.
inline void save_gguf(std::string path, const NamedArrays& arrays,
                      const std::unordered_map<std::string, GGUFMetaData>& metadata = {}) {
  GgufMetadata kept;
  for (const auto& [name, value] : metadata) {
    if (auto* array = std::get_if<Array>(&value)) kept.emplace(name, *array);
    if (auto* text = std::get_if<std::string>(&value)) kept.emplace(name, *text);
    if (auto* list = std::get_if<std::vector<std::string>>(&value)) kept.emplace(name, *list);
  }
  save_gguf(std::move(path), std::map<std::string, Array>(arrays.begin(), arrays.end()), kept);
}

}  // namespace heddle
