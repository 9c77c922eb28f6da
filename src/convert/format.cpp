#include "convert/format.h"

#include <algorithm>
#include <string_view>

namespace heddle::convert {
namespace {

std::vector<Format>& all() {
  static std::vector<Format> formats;
  return formats;
}

}  // namespace

RegisterFormat::RegisterFormat(Format format) {
  auto before = [](const Format& f, std::string_view name) { return f.name < name; };
  const std::string_view name = format.name, suffix = format.suffix;
  for (const Format& f : all()) {
    if (f.name == name || f.suffix == suffix) {
      throw std::logic_error(fmt::format("two formats are called {} or {}", name, suffix));
    }
  }
  all().insert(std::lower_bound(all().begin(), all().end(), name, before), format);
}

const std::vector<Format>& formats() { return all(); }

const Format* format_of(const io::Bytes& bytes) {
  for (const Format& f : all()) {
    if (f.recognizes && f.recognizes(bytes)) return &f;
  }
  return nullptr;
}

}  // namespace heddle::convert
