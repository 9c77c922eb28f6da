// The errors of the engine as Python exceptions.
#include <cerrno>
#include <typeinfo>

#include "bind.h"

namespace heddle::python {
namespace {

PyObject* axis_error = nullptr;
PyObject* unsafe_file_error = nullptr;
PyObject* file_error = nullptr;
PyObject* missing_file_error = nullptr;

// errno is an attribute; the text is the message alone, which names the file.
void set_file_error(const FileError& e) noexcept {
  PyObject* type = e.number() == ENOENT ? missing_file_error : file_error;
  try {
    nb::object error = nb::borrow(type)(e.what());
    error.attr("errno") = e.number();
    error.attr("filename") =
        nb::module_::import_("os").attr("fsdecode")(nb::bytes(e.path().data(), e.path().size()));
    PyErr_SetObject(type, error.ptr());
  } catch (...) {
    PyErr_SetString(type, e.what());
  }
}
PyObject* out_of_memory_error = nullptr;

// Defined in Python, beside what it carries.
void set_conversion_error(const ConversionError& e) noexcept {
  try {
    nb::object type = nb::module_::import_("heddle.program").attr("ConversionError");
    nb::object error = type(e.what(), e.report.to_json());
    PyErr_SetObject(type.ptr(), error.ptr());
  } catch (...) {
    PyErr_SetString(PyExc_ValueError, e.what());
  }
}

PyObject* new_error(nb::module_& m, const char* name, const char* doc, nb::tuple bases) {
  std::string full_name = std::string("heddle.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full_name.c_str(), doc, bases.ptr(), nullptr);
  if (!type) nb::raise_python_error();
  m.attr(name) = nb::borrow(type);
  return type;  // kept for the life of the process
}

// A Python value that could not be converted on the way.
void refuse_cast() noexcept {
  if (memory_ended()) {
    PyErr_NoMemory();
    return;
  }
  PyErr_SetString(PyExc_TypeError,
                  "[convert] An argument has a type or a size that this function does not take.");
}

// nanobind's own translator knows the standard exceptions; these come before it.
void translate(const std::exception_ptr& error, void*) {
  try {
    std::rethrow_exception(error);
  } catch (const AxisError& e) {
    PyErr_SetString(axis_error, e.what());
  } catch (const UnsafeFileError& e) {
    PyErr_SetString(unsafe_file_error, e.what());
  } catch (const FileError& e) {
    set_file_error(e);
  } catch (const ConversionError& e) {
    set_conversion_error(e);
  } catch (const std::bad_cast&) {
    refuse_cast();
  } catch (const OutOfMemoryError& e) {
    PyErr_SetString(out_of_memory_error, e.what());
  }
}

}  // namespace

void set_python_error() noexcept {
  try {
    throw;
  } catch (nb::python_error& e) {
    e.restore();
  } catch (const nb::builtin_exception& e) {
    PyErr_SetString(e.type() == nb::exception_type::value_error   ? PyExc_ValueError
                    : e.type() == nb::exception_type::index_error ? PyExc_IndexError
                                                                  : PyExc_TypeError,
                    e.what());
  } catch (const AxisError& e) {
    PyErr_SetString(axis_error, e.what());
  } catch (const UnsafeFileError& e) {
    PyErr_SetString(unsafe_file_error, e.what());
  } catch (const FileError& e) {
    set_file_error(e);
  } catch (const OutOfMemoryError& e) {
    PyErr_SetString(out_of_memory_error, e.what());
  } catch (const ConversionError& e) {
    set_conversion_error(e);
  } catch (const std::invalid_argument& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const std::out_of_range& e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const std::overflow_error& e) {
    PyErr_SetString(PyExc_OverflowError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::bad_cast&) {
    refuse_cast();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "An error of unknown kind.");
  }
}

void bind_errors(nb::module_& m) {
  nb::handle value_error(PyExc_ValueError), index_error(PyExc_IndexError);
  axis_error = new_error(
      m, "AxisError", "An axis that the array does not have. Both a ValueError and an IndexError.",
      nb::make_tuple(value_error, index_error));
  unsafe_file_error = new_error(m, "UnsafeFileError",
                                "A file that lies about itself or could do harm. Both a ValueError "
                                "and a RuntimeError, which MLX raises for some.",
                                nb::make_tuple(value_error, nb::handle(PyExc_RuntimeError)));
  nb::handle runtime_error(PyExc_RuntimeError);
  file_error =
      new_error(m, "FileError",
                "What the system could not do with a file: errno and filename say what. An "
                "OSError, and a RuntimeError and a ValueError, which MLX raises for some.",
                nb::make_tuple(nb::handle(PyExc_OSError), runtime_error, value_error));
  // OSError's own would show the attributes instead.
  nb::handle(file_error).attr("__str__") =
      nb::module_::import_("builtins").attr("eval")("lambda self: self.args[0]");
  missing_file_error =
      new_error(m, "MissingFileError", "A file that does not exist: a FileNotFoundError, too.",
                nb::make_tuple(nb::handle(file_error), nb::handle(PyExc_FileNotFoundError)));
  out_of_memory_error = new_error(
      m, "OutOfMemoryError",
      "Memory that the system does not give. Both a MemoryError and a RuntimeError, as in MLX.",
      nb::make_tuple(nb::handle(PyExc_MemoryError), nb::handle(PyExc_RuntimeError)));
  nb::register_exception_translator(translate);
}

}  // namespace heddle::python
