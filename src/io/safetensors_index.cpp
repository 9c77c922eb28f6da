// Sharded safetensors: an index in JSON says which file holds which tensor.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "io/safetensors.h"
#include "io/stored.h"

namespace heddle {
namespace {

constexpr uint64_t max_index_bytes = 100'000'000;  // the headers' own limit
constexpr int max_depth = 8;

// {"metadata": {...}, "weight_map": {"name": "file", ...}}; other keys are passed over.
class Index : public nlohmann::json::json_sax_t {
 public:
  explicit Index(const io::Origin& origin) : origin_(origin) {}

  std::map<std::string, std::vector<std::string>> files;  // to the names in them
  size_t tensors = 0;

  bool start_object(std::size_t) override { return open(); }
  bool end_object() override { return depth_--, true; }
  bool start_array(std::size_t) override {
    if (depth_ == 0 || (depth_ == 1 && in_map_)) refuse("index", "a list is not expected here");
    return open();
  }
  bool end_array() override { return depth_--, true; }
  bool key(string_t& k) override {
    if (depth_ == 1) {
      in_map_ = k == "weight_map";
      if (in_map_ && std::exchange(seen_, true)) refuse("weight_map", "it occurs twice");
    } else if (depth_ == 2 && in_map_) {
      name_ = k;
      if (!names_.insert(k).second) refuse(field(), "the name occurs twice");
    }
    return true;
  }
  bool string(string_t& file) override {
    if (!mapping()) return other("a string");
    bool plain = !file.empty() && file != "." && file != ".." &&
                 file.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (!plain) {
      refuse(field(), fmt::format("'{}' is no plain name of a file beside the index",
                                  io::printable(file, 64)));
    }
    files[file].push_back(name_);
    tensors++;
    return true;
  }
  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t) override { return other("a number"); }
  bool number_float(number_float_t, const string_t&) override { return other("a number"); }
  bool binary(binary_t&) override { return false; }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    origin_.refuse(position, "index", "not valid JSON");
  }
  bool complete() const { return seen_; }

 private:
  [[noreturn]] void refuse(const std::string& field, const std::string& problem) const {
    origin_.refuse(0, field, problem);
  }
  std::string field() const { return fmt::format("weight_map, tensor '{}'", name_.substr(0, 64)); }
  bool mapping() const { return depth_ == 2 && in_map_; }
  bool other(const char* what) const {
    if (depth_ == 0) refuse("index", fmt::format("it is {}, not an object", what));
    if (in_map_)
      refuse(mapping() ? field() : "weight_map", fmt::format("{} is not expected here", what));
    return true;
  }
  bool open() {
    if (depth_ > 1 && in_map_) refuse(field(), "a nested value is not expected here");
    if (++depth_ > max_depth)
      refuse("index", fmt::format("nested deeper than {} levels", max_depth));
    return true;
  }

  const io::Origin& origin_;
  int depth_ = 0;
  bool in_map_ = false, seen_ = false;
  std::string name_;
  std::set<std::string> names_;
};

}  // namespace

std::pair<NamedArrays, Metadata> load_sharded_safetensors(const std::string& path,
                                                          StreamOrDevice s) {
  io::Origin origin{"load_safetensors", path};
  io::Bytes text = io::map_file(origin.op, path);
  if (text.size > max_index_bytes) {
    origin.refuse(
        0, "index",
        fmt::format("its {} bytes are more than the limit of {}", text.size, max_index_bytes));
  }
  Index index(origin);
  // The parser takes a null for the end, whatever follows it.
  const size_t null = std::string_view(text.data, text.size).find('\0');
  if (null != std::string_view::npos) origin.refuse(null, "index", "it holds a null character");
  nlohmann::json::sax_parse(text.data, text.data + text.size, &index);
  if (!index.complete()) origin.refuse(0, "weight_map", "it is missing");

  std::string folder = path.substr(0, path.rfind('/') + 1);
  std::pair<NamedArrays, Metadata> all;
  all.first.reserve(index.tensors);
  for (const auto& [file, names] : index.files) {
    auto [arrays, metadata] = load_safetensors(folder + file, s);
    for (const std::string& name : names) {
      auto found = arrays.find(name);
      if (found == arrays.end()) {
        origin.refuse(0, fmt::format("weight_map, tensor '{}'", name.substr(0, 64)),
                      fmt::format("the file {} does not hold it", io::printable(file, 64)));
      }
      all.first.insert(arrays.extract(found));
    }
    if (!arrays.empty()) {
      origin.refuse(0, "weight_map",
                    fmt::format("the file {} holds '{}', which the index does not give it",
                                io::printable(file, 64), arrays.begin()->first.substr(0, 64)));
    }
    all.second.merge(metadata);
  }
  return all;
}

}  // namespace heddle
