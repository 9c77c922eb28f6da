#include "file_object.h"

#include <algorithm>
#include <cerrno>

namespace heddle::python {
namespace {

constexpr size_t piece_bytes = size_t{16} << 20;  // read(n) may reserve n bytes, whatever there is

nb::object memory_view(void* data, size_t bytes, int flags) {
  PyObject* view =
      PyMemoryView_FromMemory(static_cast<char*>(data), static_cast<Py_ssize_t>(bytes), flags);
  if (!view) nb::raise_python_error();
  return nb::steal(view);
}

// Calls `method` with the memory, which the object may use only while the call lasts.
nb::object lend(const nb::object& method, void* data, size_t bytes, int flags) {
  nb::object view = memory_view(data, bytes, flags);
  nb::object result = call_python(method, nb::make_tuple(view));
  view.attr("release")();
  return result;
}

size_t read_piece(const nb::object& method, bool into, void* to, size_t bytes) {
  nb::object result =
      into ? lend(method, to, bytes, PyBUF_WRITE) : call_python(method, nb::make_tuple(bytes));
  if (into && nb::isinstance<nb::int_>(result)) {
    return std::min(nb::cast<size_t>(result), bytes);
  }
  if (!into && nb::isinstance<nb::bytes>(result)) {
    auto content = nb::borrow<nb::bytes>(result);
    if (content.size() > bytes) {
      throw std::runtime_error("[load] The file object gave more bytes than it was asked for.");
    }
    std::memcpy(to, content.c_str(), content.size());
    return content.size();
  }
  throw std::invalid_argument(
      "[load] Input must be a file-like object opened in binary mode, or string");
}

}  // namespace

void raise_os_error(const FileError& error) {
  errno = error.number();
  PyErr_SetFromErrnoWithFilename(PyExc_OSError, error.path().c_str());
  nb::raise_python_error();
}

bool is_path(nb::handle file) {
  return nb::isinstance<nb::str>(file) || nb::hasattr(file, "__fspath__");
}

std::string path_of(nb::handle file) {
  // As bytes: the name of a file need not be text.
  auto bytes = nb::cast<nb::bytes>(nb::module_::import_("os").attr("fsencode")(file));
  return std::string(bytes.c_str(), bytes.size());
}

ReadFunction reader_of(nb::handle file) {
  bool into = nb::hasattr(file, "readinto");
  return [file, into](void* to, size_t bytes) {
    AcquireGil gil;
    nb::object method = file.attr(into ? "readinto" : "read");
    return bytes == 0 ? 0 : read_piece(method, into, to, std::min(bytes, piece_bytes));
  };
}

WriteFunction writer_of(nb::handle file) {
  return [file](const void* from, size_t bytes) {
    AcquireGil gil;
    nb::object method = file.attr("write");
    char* at = const_cast<char*>(static_cast<const char*>(from));  // lent read-only
    while (bytes > 0) {
      nb::object result = lend(method, at, bytes, PyBUF_READ);
      // Unbuffered files may take a part; objects that do not count have taken all.
      size_t taken = nb::isinstance<nb::int_>(result) ? nb::cast<size_t>(result) : bytes;
      if (taken == 0) throw std::runtime_error("[save] The file object takes no more bytes.");
      taken = std::min(taken, bytes);
      at += taken;
      bytes -= taken;
    }
  };
}

void rewind_at_end(nb::handle file) {
  if (!nb::hasattr(file, "seekable") || !nb::cast<bool>(file.attr("seekable")())) return;
  nb::object position = file.attr("tell")();
  nb::object end = file.attr("seek")(0, 2);
  file.attr("seek")(position.equal(end) ? nb::int_(0) : position);
}

}  // namespace heddle::python
