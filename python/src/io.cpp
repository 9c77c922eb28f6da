// load and save_safetensors.
#include "heddle/io.h"

#include "bind.h"

namespace heddle::python {
namespace {

bool is_path(nb::handle file) {
  return nb::isinstance<nb::str>(file) || nb::hasattr(file, "__fspath__");
}

std::string path_of(nb::handle file) {
  return nb::cast<std::string>(nb::module_::import_("os").attr("fsdecode")(file));
}

std::string suffix_of(const std::string& path) {
  size_t dot = path.rfind('.');
  size_t slash = path.rfind('/');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return "";
  return path.substr(dot + 1);
}

nb::object load(nb::handle file, std::optional<std::string> format, bool return_metadata) {
  bool by_path = is_path(file);
  if (!by_path && !nb::hasattr(file, "read")) {
    throw nb::type_error("[load] The file must be a path or a file object that can be read.");
  }
  if (!format) {
    if (!by_path) throw std::invalid_argument("[load] The format of a file object must be given.");
    format = suffix_of(path_of(file));
  }
  if (*format != "safetensors") {
    throw std::invalid_argument("[load] Unknown file format " + *format);
  }
  std::pair<NamedArrays, Metadata> content;
  if (by_path) {
    content = load_safetensors(path_of(file));
  } else {
    nb::object data = file.attr("read")();
    if (!nb::isinstance<nb::bytes>(data)) {
      throw nb::type_error("[load] The file object must be opened in binary mode.");
    }
    auto bytes = nb::borrow<nb::bytes>(data);
    content = load_safetensors(bytes.c_str(), bytes.size(), "file object");
  }
  nb::dict arrays;
  for (auto& [name, array] : content.first) arrays[nb::str(name.data(), name.size())] = wrap(array);
  if (!return_metadata) return arrays;
  nb::dict metadata;
  for (auto& [key, value] : content.second)
    metadata[nb::str(key.data(), key.size())] = nb::cast(value);
  return nb::make_tuple(arrays, metadata);
}

void save(nb::handle file, nb::dict arrays, std::optional<nb::dict> metadata) {
  std::map<std::string, Array> named;
  for (auto [name, value] : arrays) {
    if (!nb::isinstance<nb::str>(name) || !is_array(value)) {
      throw nb::type_error("[save_safetensors] The arrays must be a dict from names to arrays.");
    }
    named[nb::cast<std::string>(name)] = array_of(value);
  }
  Metadata texts;
  if (metadata) {
    for (auto [key, value] : *metadata) {
      if (!nb::isinstance<nb::str>(key) || !nb::isinstance<nb::str>(value)) {
        throw nb::type_error(
            "[save_safetensors] The metadata must be a dict from strings to strings.");
      }
      texts[nb::cast<std::string>(key)] = nb::cast<std::string>(value);
    }
  }
  if (is_path(file)) {
    std::string path = path_of(file);
    nb::gil_scoped_release release;
    save_safetensors(path, named, texts);
    return;
  }
  if (!nb::hasattr(file, "write")) {
    throw nb::type_error(
        "[save_safetensors] The file must be a path or a file object that can be written.");
  }
  Arrays all;
  for (const auto& [name, array] : named) all.push_back(array);
  evaluate(all);
  save_safetensors(
      [&](const void* data, size_t bytes) { file.attr("write")(nb::bytes(data, bytes)); }, named,
      texts);
}

}  // namespace

void bind_io(nb::module_& m) {
  m.def("load", &load, "file"_a, "format"_a = nb::none(), "return_metadata"_a = false,
        nb::sig("def load(file: Union[file, str, pathlib.Path], /, format: Optional[str] = None, "
                "return_metadata: bool = False) -> dict[str, array]"),
        R"(Arrays from a file; today safetensors.

Files given by path are mapped: arrays take memory as they are read. File objects are read at once.

Args:
  file: a path, or a file object opened in binary mode.
  format: instead of the suffix of the path.
  return_metadata: also return the file's metadata, a dict of strings.

Returns:
  dict: arrays by name; with ``return_metadata`` a tuple of it and the metadata.

Raises:
  RuntimeError: the file cannot be opened.
  ValueError: an unknown format, or (as ``heddle.UnsafeFileError``) a file that contradicts itself; the
    message names file, offset and field.)");
  m.def("save_safetensors", &save, "file"_a, "arrays"_a, "metadata"_a = nb::none(),
        nb::sig(
            "def save_safetensors(file: Union[file, str, pathlib.Path], arrays: dict[str, array], "
            "metadata: Optional[dict[str, str]] = None)"),
        R"(Writes arrays to a safetensors file.

A path is written atomically: an old file stays whole until the new one is complete. The suffix
``.safetensors`` is added where it is missing.

Args:
  file: a path, or a file object opened in binary mode.
  arrays: by name.
  metadata: strings by name.

Raises:
  RuntimeError: the file cannot be written.)");
}

}  // namespace heddle::python
