// Files of arrays: load, save, savez, savez_compressed, save_safetensors, save_gguf.
#include "heddle/io.h"

#include "file_object.h"
#include "signature.h"

namespace heddle::python {
namespace {

nb::str text(const std::string& s) { return nb::str(s.data(), s.size()); }

nb::dict dict_of(NamedArrays& arrays) {
  nb::dict result;
  for (auto& [name, array] : arrays) result[text(name)] = wrap(std::move(array));
  return result;
}

nb::dict dict_of(const Metadata& metadata) {
  nb::dict result;
  for (const auto& [key, value] : metadata) result[text(key)] = text(value);
  return result;
}

nb::dict dict_of(const GgufMetadata& metadata) {
  nb::dict result;
  for (const auto& [key, value] : metadata) {
    if (const auto* array = std::get_if<Array>(&value)) {
      result[text(key)] = wrap(*array);
    } else if (const auto* string = std::get_if<std::string>(&value)) {
      result[text(key)] = text(*string);
    } else {
      nb::list texts;
      for (const auto& t : std::get<std::vector<std::string>>(value)) texts.append(text(t));
      result[text(key)] = texts;
    }
  }
  return result;
}

std::string format_of(nb::handle file) {
  nb::object name = is_path(file) ? nb::borrow<nb::object>(file) : file.attr("name");
  std::string path = is_path(name) ? path_of(name) : "";
  size_t dot = path.rfind('.'), slash = path.rfind('/');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) {
    throw std::invalid_argument("[load] Could not infer file format from extension");
  }
  if (is_path(file) && path.ends_with(".safetensors.index.json")) return "safetensors.index.json";
  return path.substr(dot + 1);
}

// Calls f with the path, or with the file object's reader and a name for messages, without the GIL.
template <class F>
auto with_source(nb::handle file, F&& f) {
  if (is_path(file)) {
    std::string path = path_of(file);
    ReleaseGil release;
    return f(path);
  }
  ReadFunction read = reader_of(file);
  ReleaseGil release;
  return f(read, std::string("file object"));
}

// For archives that cannot be opened MLX raises ValueError, for other files RuntimeError.
template <class F>
auto as_value_error(F&& f) {
  try {
    return f();
  } catch (const UnsafeFileError&) {
    throw;
  } catch (const FileError&) {
    throw;  // in Python a ValueError, too
  } catch (const std::runtime_error& e) {
    throw std::invalid_argument(e.what());
  }
}

nb::object load(nb::handle file, std::optional<std::string> format, bool return_metadata,
                const StreamOrDevice& s) {
  if (!is_path(file) && !nb::hasattr(file, "read")) {
    throw std::invalid_argument(
        "[load] Input must be a file-like object opened in binary mode, or string");
  }
  if (!format) format = format_of(file);
  if (return_metadata && (*format == "npy" || *format == "npz")) {
    throw std::invalid_argument("[load] metadata not supported for format " + *format);
  }
  auto result = [&](auto content) -> nb::object {
    nb::dict arrays = dict_of(content.first);
    if (!return_metadata) return arrays;
    return nb::make_tuple(arrays, dict_of(content.second));
  };
  if (*format == "npy") {
    return wrap(with_source(file, [&](const auto&... from) { return heddle::load(from..., s); }));
  }
  if (*format == "npz") {
    if (!is_path(file)) rewind_at_end(file);
    NamedArrays arrays = as_value_error([&] {
      return with_source(file, [&](const auto&... from) { return load_npz(from..., s); });
    });
    return dict_of(arrays);
  }
  if (*format == "safetensors") {
    return result(
        with_source(file, [&](const auto&... from) { return load_safetensors(from..., s); }));
  }
  if (*format == "gguf") {
    return result(as_value_error([&] {
      return with_source(file, [&](const auto&... from) { return load_gguf(from..., s); });
    }));
  }
  if (*format == "safetensors.index.json" && is_path(file)) {
    std::string path = path_of(file);
    ReleaseGil release;
    auto content = load_sharded_safetensors(path, s);
    AcquireGil acquire;
    return result(std::move(content));
  }
  throw std::invalid_argument("[load] Unknown file format " + *format);
}

// Calls f with the path or with the file object's writer, without the GIL.
template <class F>
void with_sink(const char* op, nb::handle file, F&& f) {
  if (is_path(file)) {
    std::string path = path_of(file);
    ReleaseGil release;
    f(path);
  } else if (nb::hasattr(file, "write")) {
    WriteFunction write = writer_of(file);
    ReleaseGil release;
    f(write);
  } else {
    throw std::invalid_argument(std::string("[") + op +
                                "] Input must be a file-like object, or string");
  }
}

// MLX answers values of other types with RuntimeError.
const Array& array_in(const char* op, nb::handle value) {
  if (!is_array(value)) {
    nb::str type = nb::str(nb::handle(value.type()).attr("__name__"));
    throw std::runtime_error(std::string("[") + op + "] Arrays are wanted, a value is of type " +
                             type.c_str() + ".");
  }
  return array_of(value);
}

std::string key_in(const char* op, nb::handle key) {
  if (!nb::isinstance<nb::str>(key)) {
    throw std::runtime_error(std::string("[") + op + "] The names must be strings.");
  }
  return nb::cast<std::string>(key);
}

void save_array(nb::handle file, nb::handle array) {
  if (!is_array(array)) throw nb::type_error("[save] arr must be an array.");
  Array value = array_of(array);
  with_sink("save", file, [&](const auto& to) { heddle::save(to, value); });
}

void save_archive(nb::handle file, const nb::args& args, const nb::kwargs& kwargs,
                  bool compressed) {
  ArrayList arrays;
  for (auto [name, value] : kwargs) {
    arrays.emplace_back(key_in("savez", name), array_in("savez", value));
  }
  size_t index = 0;
  for (nb::handle value : args) {
    std::string name = "arr_" + std::to_string(index++);
    if (kwargs.contains(name.c_str())) {
      throw std::invalid_argument("[savez] Cannot use un-named variables and keyword " + name);
    }
    arrays.emplace_back(name, array_in("savez", value));
  }
  try {
    with_sink("savez", file, [&](const auto& to) { savez(to, arrays, compressed); });
  } catch (const FileError& error) {
    raise_os_error(error);  // as from MLX, which writes these by Python's own zipfile
  }
}

std::map<std::string, Array> named_arrays(const char* op, const nb::dict& arrays) {
  std::map<std::string, Array> named;
  for (auto [name, value] : arrays) named[key_in(op, name)] = array_in(op, value);
  return named;
}

void save_tensors(nb::handle file, const nb::dict& arrays, std::optional<nb::dict> metadata) {
  std::map<std::string, Array> named = named_arrays("save_safetensors", arrays);
  Metadata texts;
  if (metadata) {
    for (auto [key, value] : *metadata) {
      if (!nb::isinstance<nb::str>(key) || !nb::isinstance<nb::str>(value)) {
        throw std::invalid_argument(
            "[save_safetensors] Metadata must be a dictionary with string keys and values");
      }
      texts[nb::cast<std::string>(key)] = nb::cast<std::string>(value);
    }
  }
  with_sink("save_safetensors", file, [&](const auto& to) { save_safetensors(to, named, texts); });
}

GgufMetadata::mapped_type gguf_value(nb::handle value) {
  if (is_array(value)) return array_of(value);
  if (nb::isinstance<nb::str>(value)) return nb::cast<std::string>(value);
  if (nb::isinstance<nb::list>(value)) {
    std::vector<std::string> texts;
    for (nb::handle item : nb::borrow<nb::list>(value)) texts.push_back(key_in("save_gguf", item));
    return texts;
  }
  throw std::runtime_error(
      "[save_gguf] Received unexpected type in metadata: arrays, strings and lists of strings are "
      "wanted");
}

void save_model(nb::handle file, const nb::dict& arrays, std::optional<nb::dict> metadata) {
  std::map<std::string, Array> named = named_arrays("save_gguf", arrays);
  GgufMetadata values;
  if (metadata) {
    for (auto [key, value] : *metadata) values[key_in("save_gguf", key)] = gguf_value(value);
  }
  with_sink("save_gguf", file, [&](const auto& to) { save_gguf(to, named, values); });
}

}  // namespace

void bind_io(nb::module_& m) {
  m.def("load", &load, nb::arg(), "format"_a = nb::none(), "return_metadata"_a = false,
        nb::kw_only(), "stream"_a = nb::none(),
        signature("load",
                  "file: str | pathlib.Path | typing.BinaryIO, /, format: str | None = None, "
                  "return_metadata: bool = False",
                  "array | dict[str, array] | tuple[dict[str, array], dict[str, typing.Any]]"),
        R"(Arrays from a file: npy, npz, safetensors or GGUF.

Files given by path are mapped: arrays take memory as they are used. File objects are read at once, npy and
safetensors to the end of their arrays and no further.

Args:
  file: a path, or a file object opened in binary mode. The index of a set of safetensors files
    (``*.safetensors.index.json``) stands for the set.
  format: ``npy``, ``npz``, ``safetensors`` or ``gguf``, instead of the suffix of the name.
  return_metadata: also return the file's metadata (safetensors and GGUF).
  stream: where conversions of values run.

Returns:
  array or dict: the array of an npy file, else arrays by name; with ``return_metadata`` a tuple of them
  and a dict of the metadata.

Raises:
  RuntimeError: the file cannot be opened.
  ValueError: an unknown format, or (as ``heddle.UnsafeFileError``) a file that contradicts itself; the
    message names file, offset and field.)");
  m.def("save", &save_array, "file"_a, "arr"_a,
        nb::sig("def save(file: str | pathlib.Path | typing.BinaryIO, arr: array) -> None"),
        R"(Writes an array to an npy file.

A path is written atomically: an old file stays whole until the new one is complete. The suffix ``.npy`` is
added where it is missing.

Args:
  file: a path, or a file object opened in binary mode.
  arr: the array.

Raises:
  RuntimeError: the file cannot be written.)");
  m.def(
      "savez",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, false);
      },
      "file"_a, "args"_a, "kwargs"_a,
      nb::sig("def savez(file: str | pathlib.Path | typing.BinaryIO, *args, **kwargs)"),
      R"(Writes arrays to an npz file, uncompressed.

A path is written atomically. The suffix ``.npz`` is added where it is missing.

Args:
  file: a path, or a file object opened in binary mode.
  *args: arrays that are called arr_0, arr_1, ...
  **kwargs: arrays by name.

Raises:
  RuntimeError: the file cannot be written.
  ValueError: a name is taken twice.)");
  m.def(
      "savez_compressed",
      [](nb::handle file, const nb::args& args, const nb::kwargs& kwargs) {
        save_archive(file, args, kwargs, true);
      },
      "file"_a, "args"_a, "kwargs"_a,
      nb::sig("def savez_compressed(file: str | pathlib.Path | typing.BinaryIO, *args, **kwargs)"),
      R"(Writes arrays to an npz file, deflated; see ``savez``.

Args:
  file: a path, or a file object opened in binary mode.
  *args: arrays that are called arr_0, arr_1, ...
  **kwargs: arrays by name.)");
  m.def("save_safetensors", &save_tensors, "file"_a, "arrays"_a, "metadata"_a = nb::none(),
        nb::sig("def save_safetensors(file: str | pathlib.Path | typing.BinaryIO, arrays: "
                "dict[str, array], "
                "metadata: dict[str, str] | None = None)"),
        R"(Writes arrays to a safetensors file.

A path is written atomically: an old file stays whole until the new one is complete. The suffix
``.safetensors`` is added where it is missing.

Args:
  file: a path, or a file object opened in binary mode.
  arrays: by name.
  metadata: strings by name.

Raises:
  RuntimeError: the file cannot be written.)");
  m.def(
      "save_gguf", &save_model, "file"_a, "arrays"_a, "metadata"_a = nb::none(),
      nb::sig("def save_gguf(file: str | pathlib.Path | typing.BinaryIO, arrays: dict[str, array], "
              "metadata: dict[str, array | str | list[str]] | None = None)"),
      R"(Writes arrays and metadata to a GGUF file, version 3.

A path is written atomically. The suffix ``.gguf`` is added where it is missing.

Args:
  file: a path, or a file object opened in binary mode.
  arrays: by name; signed integers, float16, bfloat16, float32 and float64 of at most 4 dimensions.
  metadata: by key; scalars and one-dimensional arrays, strings, lists of strings.

Raises:
  RuntimeError: the file cannot be written, or it cannot hold the arrays.
  ValueError: it cannot hold the metadata.)");
}

}  // namespace heddle::python
