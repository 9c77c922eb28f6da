// safetensors: a 64-bit header length, the header in JSON, then the tensors' bytes without gaps.
#include "io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "heddle/ops.h"
#include "io/stored.h"

namespace heddle {
namespace {

constexpr std::string_view suffix = ".safetensors";

std::pair<NamedArrays, Metadata> read(const io::Bytes& file, const io::Origin& origin,
                                      const Stream& stream) {
  io::Reader reader(origin, file.data, file.size);
  uint64_t length = reader.count("header length", 1, io::max_safetensors_header);
  const char* json = reader.take(length, "header");
  io::SafetensorsHeader header =
      io::parse_safetensors_header(origin, json, length, reader.remaining());
  if (header.data_bytes != reader.remaining()) {
    reader.refuse("data", fmt::format("the tensors want {} bytes, {} follow the header",
                                      header.data_bytes, reader.remaining()));
  }
  NamedArrays arrays;
  arrays.reserve(header.entries.size());
  for (const auto& e : header.entries) {
    arrays.emplace(e.name,
                   io::stored_array(file, reader.here() + e.begin, e.extent, e.dtype, stream));
  }
  return {std::move(arrays), std::move(header.metadata)};
}

void check_text(const std::string& text) {
  if (!io::is_utf8(text)) {
    throw std::invalid_argument("[save_safetensors] Names and metadata must be valid UTF-8.");
  }
}

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

}  // namespace

std::pair<NamedArrays, Metadata> load_safetensors(const std::string& path, StreamOrDevice s) {
  Stream stream = to_stream(s);
  return read(io::map_file("load_safetensors", path), {"load_safetensors", path}, stream);
}

std::pair<NamedArrays, Metadata> load_safetensors(const ReadFunction& from,
                                                  const std::string& label, StreamOrDevice s) {
  to_stream(s);
  io::Origin origin{"load_safetensors", label};
  io::Bytes number = io::read_bytes(from, 8);
  uint64_t length = io::check_safetensors_length(
      origin, io::Reader(origin, number.data, number.size).number<uint64_t>("header length"));
  io::Bytes json = io::read_bytes(from, length);
  io::Reader(origin, json.data, json.size, 8).take(length, "header");
  io::SafetensorsHeader header = io::parse_safetensors_header(origin, json.data, length);
  NamedArrays arrays;
  arrays.reserve(header.entries.size());
  for (const auto& e : header.entries) {
    arrays.emplace(e.name,
                   io::read_array(from, origin, header.data_offset + e.begin, e.extent, e.dtype));
  }
  return {std::move(arrays), std::move(header.metadata)};
}

void save_safetensors(const WriteFunction& write, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata) {
  // Wider elements first: then every tensor is aligned, since the header's length is a multiple
  // of 8.
  std::vector<std::pair<std::string, Array>> order;
  Arrays all;
  for (const auto& [name, array] : arrays) {
    check_text(name);
    if (name == io::safetensors_metadata_key) {
      throw std::invalid_argument(
          fmt::format("[save_safetensors] '{}' is not a tensor's name.", name));
    }
    order.emplace_back(name, array);
    all.push_back(array);
  }
  for (const auto& [key, value] : metadata) {
    check_text(key);
    check_text(value);
  }
  eval(all);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.itemsize() > b.second.itemsize();
  });
  std::string text;
  auto add = [&](const std::string& name, const std::string& value) {
    text += text.empty() ? "{" : ",";
    text += quoted(name) + ":" + value;
  };
  if (!metadata.empty()) {
    add(io::safetensors_metadata_key, nlohmann::json(metadata).dump());
  }
  uint64_t offset = 0;
  for (const auto& [name, array] : order) {
    const auto& shape = array.shape();
    add(name,
        fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                    io::safetensors_type_name(array.dtype()),
                    fmt::join(shape.begin(), shape.end(), ","), offset, offset + array.nbytes()));
    offset += array.nbytes();
  }
  text += text.empty() ? "{}" : "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  write(&length, 8);
  write(text.data(), text.size());
  for (const auto& [name, array] : order) {
    Array content = io::dense(array);
    write(content.raw_data(), content.nbytes());
  }
}

void save_safetensors(std::string path, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata) {
  if (!path.ends_with(suffix)) path += suffix;
  io::write_atomically("save_safetensors", path, [&](const WriteFunction& sink) {
    save_safetensors(sink, arrays, metadata);
  });
}

}  // namespace heddle
