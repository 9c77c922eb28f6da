#include "wrapper.h"

#include <fmt/format.h>

namespace heddle::python {
namespace {

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  const Wrapper* w = nb::inst_ptr<Wrapper>(self);
  Py_VISIT(w->fun().ptr());
  for (const nb::object& o : w->kept()) Py_VISIT(o.ptr());
  return 0;
}

int clear(PyObject* self) {
  if (nb::inst_ready(self)) nb::inst_ptr<Wrapper>(self)->clear();
  return 0;
}

// What the wrapper does not have itself is its function's (name, signature, defaults, ...). So are
// __module__ and __class__, of which every object has one: as in MLX, it passes for a function.
PyObject* attribute(PyObject* self, PyObject* name) {
  // Without a function: not initialized, or cleared by the garbage collector.
  const bool whole = nb::inst_ready(self) && nb::inst_ptr<Wrapper>(self)->fun().is_valid();
  if (!whole || (PyUnicode_CompareWithASCIIString(name, "__module__") != 0 &&
                 PyUnicode_CompareWithASCIIString(name, "__class__") != 0)) {
    PyObject* found = PyObject_GenericGetAttr(self, name);
    if (found || !whole || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
    PyErr_Clear();
  }
  return PyObject_GetAttr(nb::inst_ptr<Wrapper>(self)->fun().ptr(), name);
}

PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {Py_tp_getattro, reinterpret_cast<void*>(attribute)},
                       {0, nullptr}};

}  // namespace

void bind_wrapper(nb::module_& m) {
  nb::class_<Wrapper>(m, "_gc_func", nb::type_slots(slots), nb::is_weak_referenceable(),
                      "A transformed function.")
      .def("__call__", &Wrapper::operator())
      .def(
          "__get__",
          [](nb::handle self, nb::handle instance, nb::handle) -> nb::object {
            if (instance.is_none()) return nb::borrow(self);
            return nb::module_::import_("types").attr("MethodType")(self, instance);
          },
          "instance"_a.none(), "owner"_a.none() = nb::none())
      .def_prop_ro("__wrapped__", [](const Wrapper& w) { return nb::borrow(w.fun()); })
      .def_prop_ro("__doc__",
                   [](const Wrapper& w) { return nb::getattr(w.fun(), "__doc__", nb::none()); })
      // Modules keep compiled activations as attributes: as functions are, they are copied by
      // reference and pickled by name.
      .def("__copy__", [](nb::handle self) { return nb::borrow(self); })
      .def(
          "__deepcopy__", [](nb::handle self, nb::handle) { return nb::borrow(self); }, "memo"_a)
      // pickle refuses a name that leads to another object, such as the function itself.
      .def("__reduce__", [](const Wrapper& w) { return w.fun().attr("__qualname__"); });
}

void require_callable(const char* name, nb::handle fun) {
  if (PyCallable_Check(fun.ptr())) return;
  throw nb::type_error(fmt::format("[{}] The first argument must be a function, got {}.", name,
                                   nb::type_name(fun.type()).c_str())
                           .c_str());
}

}  // namespace heddle::python
