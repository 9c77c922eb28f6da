// Files in MLX's forms: unordered maps, and streams that are classes.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "heddle/io.h"
#include "mlx/array.h"
#include "mlx/io/load.h"

namespace mlx::core {

using GGUFMetaData = std::variant<std::monostate, array, std::string, std::vector<std::string>>;
using GGUFLoad = std::pair<std::unordered_map<std::string, array>,
                           std::unordered_map<std::string, GGUFMetaData>>;
using SafetensorsLoad =
    std::pair<std::unordered_map<std::string, array>, std::unordered_map<std::string, std::string>>;

namespace detail {

inline std::unordered_map<std::string, array> out(const heddle::NamedArrays& arrays) {
  return {arrays.begin(), arrays.end()};
}
inline std::map<std::string, heddle::Array> sorted(
    const std::unordered_map<std::string, array>& arrays) {
  return {arrays.begin(), arrays.end()};
}
// A Reader throws at the end; heddle's readers ask for no more than a file says it has.
inline heddle::ReadFunction bytes_of(const std::shared_ptr<io::Reader>& from, const char* op) {
  if (!from->good() || !from->is_open()) {
    throw std::runtime_error(std::string("[") + op + "] Failed to open " + from->label() + ".");
  }
  return [from](void* to, size_t bytes) {
    from->read(static_cast<char*>(to), bytes);
    return bytes;
  };
}
inline heddle::WriteFunction bytes_to(const std::shared_ptr<io::Writer>& to, const char* op) {
  to->open();
  if (!to->good() || !to->is_open()) {
    throw std::runtime_error(std::string("[") + op + "] Failed to open " + to->label() + ".");
  }
  return [to](const void* from, size_t bytes) { to->write(static_cast<const char*>(from), bytes); };
}

}  // namespace detail

inline void save(std::shared_ptr<io::Writer> out_stream, array a) {
  a.eval();
  heddle::save(detail::bytes_to(out_stream, "save"), a);
}
inline void save(std::string file, array a) { heddle::save(std::move(file), a); }
inline array load(std::shared_ptr<io::Reader> in_stream, StreamOrDevice s = {}) {
  return heddle::load(detail::bytes_of(in_stream, "load"), in_stream->label(), detail::in(s));
}
inline array load(std::string file, StreamOrDevice s = {}) {
  return heddle::load(file, detail::in(s));
}

inline SafetensorsLoad load_safetensors(std::shared_ptr<io::Reader> in_stream,
                                        StreamOrDevice s = {}) {
  auto [arrays, metadata] = heddle::load_safetensors(
      detail::bytes_of(in_stream, "load_safetensors"), in_stream->label(), detail::in(s));
  return {detail::out(arrays), std::move(metadata)};
}
inline SafetensorsLoad load_safetensors(const std::string& file, StreamOrDevice s = {}) {
  auto [arrays, metadata] = heddle::load_safetensors(file, detail::in(s));
  return {detail::out(arrays), std::move(metadata)};
}
inline void save_safetensors(std::shared_ptr<io::Writer> out_stream,
                             std::unordered_map<std::string, array> arrays,
                             std::unordered_map<std::string, std::string> metadata = {}) {
  for (auto& [name, a] : arrays) a.eval();
  heddle::save_safetensors(detail::bytes_to(out_stream, "save_safetensors"), detail::sorted(arrays),
                           metadata);
}
inline void save_safetensors(std::string file, std::unordered_map<std::string, array> arrays,
                             std::unordered_map<std::string, std::string> metadata = {}) {
  heddle::save_safetensors(std::move(file), detail::sorted(arrays), metadata);
}

inline GGUFLoad load_gguf(const std::string& file, StreamOrDevice s = {}) {
  auto [arrays, metadata] = [&] {
    try {
      return heddle::load_gguf(file, detail::in(s));
    } catch (const heddle::FileError& error) {  // of MLX's class
      throw std::invalid_argument(error.what());
    }
  }();
  GGUFLoad loaded{detail::out(arrays), {}};
  for (auto& [name, value] : metadata) {
    std::visit([&, &name = name](auto& v) { loaded.second.emplace(name, std::move(v)); }, value);
  }
  return loaded;
}
// std::monostate stands for metadata without a value, which a file does not hold.
inline void save_gguf(std::string file, std::unordered_map<std::string, array> array_map,
                      std::unordered_map<std::string, GGUFMetaData> meta_data = {}) {
  heddle::GgufMetadata kept;
  for (const auto& [name, value] : meta_data) {
    if (auto* a = std::get_if<array>(&value)) kept.emplace(name, detail::in(*a));
    if (auto* text = std::get_if<std::string>(&value)) kept.emplace(name, *text);
    if (auto* list = std::get_if<std::vector<std::string>>(&value)) kept.emplace(name, *list);
  }
  heddle::save_gguf(std::move(file), detail::sorted(array_map), kept);
}

}  // namespace mlx::core
