#include "tree.h"

#include <stdexcept>
#include <unordered_map>

namespace heddle::python {
namespace {

bool is_list(nb::handle h) { return PyList_Check(h.ptr()); }
bool is_tuple(nb::handle h) { return PyTuple_Check(h.ptr()); }
bool is_dict(nb::handle h) { return PyDict_Check(h.ptr()); }

nb::object checked(PyObject* object) {
  if (!object) nb::raise_python_error();
  return nb::steal(object);
}
void checked(int status) {
  if (status < 0) nb::raise_python_error();
}

void set_item(nb::handle list, Py_ssize_t i, nb::object value) {
  if (i < PyList_Size(list.ptr())) {
    checked(PyList_SetItem(list.ptr(), i, value.release().ptr()));
  }
}
void set_entry(nb::handle dict, nb::handle key, nb::handle value) {
  checked(PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr()));
}

bool has_class_of_its_own(nb::handle h) {
  return !PyList_CheckExact(h.ptr()) && !PyDict_CheckExact(h.ptr());
}

}  // namespace

nb::object plain_copy(nb::handle container) {
  if (is_list(container)) {
    return checked(PyList_GetSlice(container.ptr(), 0, PyList_Size(container.ptr())));
  }
  if (PyDict_CheckExact(container.ptr())) return checked(PyDict_Copy(container.ptr()));
  nb::dict out;
  each_entry(container, [&](nb::object key, nb::object value) { set_entry(out, key, value); });
  return out;
}

namespace {

// An object of the class of a list or dict with its attributes; what it holds is of no matter.
nb::object shell_of(nb::handle container) {
  const bool list = is_list(container);
  try {
    nb::object copy = nb::module_::import_("copy").attr("copy")(container);
    if (!copy.is(container) && (list ? is_list(copy) : is_dict(copy))) return copy;
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_Exception)) throw;
  }
  try {  // a class that cannot be filled by its own methods
    nb::handle base(reinterpret_cast<PyObject*>(list ? &PyList_Type : &PyDict_Type));
    nb::object shell = base.attr("__new__")(container.type());
    if (nb::hasattr(container, "__dict__")) {
      shell.attr("__dict__").attr("update")(container.attr("__dict__"));
    }
    return shell;
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_Exception)) throw;
  }
  return {};
}

}  // namespace

nb::object copy_of(nb::handle container) {
  nb::object items = plain_copy(container);
  if (!has_class_of_its_own(container)) return items;
  nb::object copy = shell_of(container);
  if (!copy.is_valid()) return items;
  if (is_list(container)) {
    checked(PyList_SetSlice(copy.ptr(), 0, PyList_Size(copy.ptr()), items.ptr()));
    return copy;
  }
  if (PyDict_Size(copy.ptr()) != PyDict_Size(items.ptr())) PyDict_Clear(copy.ptr());
  each_entry(items, [&](nb::object key, nb::object value) { set_entry(copy, key, value); });
  return PyDict_Size(copy.ptr()) == PyDict_Size(items.ptr()) ? copy : items;
}

void TreeLevel::fail() {
  PyErr_Format(
      PyExc_RecursionError,
      "Lists, tuples and dicts are nested more than %d levels deep, or one contains itself.",
      deepest);
  nb::raise_python_error();
}

nb::object tuple_like(nb::handle tuple, const nb::list& items) {
  nb::object plain = checked(PyList_AsTuple(items.ptr()));
  if (PyTuple_CheckExact(tuple.ptr())) return plain;
  nb::object out;
  try {
    // Not through the constructor of the class, which may take other arguments (named tuples).
    out =
        nb::handle(reinterpret_cast<PyObject*>(&PyTuple_Type)).attr("__new__")(tuple.type(), plain);
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_TypeError)) throw;
    out = tuple.type()(plain);  // a class written in C
  }
  if (nb::hasattr(tuple, "__dict__") && nb::hasattr(out, "__dict__")) {
    out.attr("__dict__").attr("update")(tuple.attr("__dict__"));
  }
  return out;
}

void visit_tree(nb::handle tree, const std::function<void(nb::handle)>& leaf) {
  if (is_array(tree)) {
    leaf(tree);
  } else if (is_list(tree) || is_tuple(tree)) {
    TreeLevel level;
    each_item(tree, [&](Py_ssize_t, nb::object item) { visit_tree(item, leaf); });
  } else if (is_dict(tree)) {
    TreeLevel level;
    each_entry(tree, [&](nb::object, nb::object value) { visit_tree(value, leaf); });
  } else if (is_random_state(tree)) {
    leaf(wrap(random::state()));
  } else {
    leaf(tree);
  }
}

nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& leaf,
                    Containers containers) {
  if (is_array(tree)) return leaf(tree);
  if (is_tuple(tree)) {
    TreeLevel level;
    nb::list items;
    each_item(tree,
              [&](Py_ssize_t, nb::object item) { items.append(map_tree(item, leaf, containers)); });
    return tuple_like(tree, items);
  }
  if (!is_list(tree) && !is_dict(tree)) return leaf(tree);
  TreeLevel level;
  nb::object out;
  const bool own = containers == Containers::own && has_class_of_its_own(tree);
  if (own) {
    out = copy_of(tree);
  } else if (is_list(tree)) {
    out = checked(PyList_New(PyList_Size(tree.ptr())));
  } else {
    out = plain_copy(tree);  // quicker than key by key
  }
  if (is_list(tree)) {
    each_item(tree, [&](Py_ssize_t i, nb::object item) {
      set_item(out, i, map_tree(item, leaf, containers));
    });
  } else {
    each_entry(tree, [&](nb::object key, nb::object value) {
      nb::object mapped = map_tree(value, leaf, containers);
      if (own || !mapped.is(value)) set_entry(out, key, mapped);
    });
  }
  return out;
}

nb::object copy_of_tree(nb::handle tree) {
  if (is_dict(tree)) {
    TreeLevel level;
    nb::object out = plain_copy(tree);
    each_entry(tree, [&](nb::object key, nb::object value) {
      if (is_array(value)) return;  // which most are
      if (nb::object copy = copy_of_tree(value); !copy.is(value)) set_entry(out, key, copy);
    });
    return out;
  }
  if (is_list(tree)) {
    TreeLevel level;
    nb::object out = plain_copy(tree);
    each_item(tree, [&](Py_ssize_t i, nb::object item) {
      if (is_array(item)) return;
      if (nb::object copy = copy_of_tree(item); !copy.is(item)) set_item(out, i, copy);
    });
    return out;
  }
  return map_tree(tree, [](nb::handle leaf) { return nb::borrow(leaf); });
}

Arrays arrays_of_tree(nb::handle tree, bool strict) {
  Arrays out;
  visit_tree(tree, [&](nb::handle leaf) {
    if (is_array(leaf)) {
      out.push_back(array_of(leaf));
    } else if (strict) {
      throw std::invalid_argument("[tree_flatten] The argument should contain only arrays");
    }
  });
  return out;
}

nb::object rebuild_tree(nb::handle tree, const Arrays& arrays, size_t& next,
                        Containers containers) {
  auto replaced = [&](nb::handle leaf) -> nb::object {
    if (is_array(leaf)) return wrap(arrays.at(next++));
    if (!is_random_state(leaf)) return nb::borrow(leaf);
    nb::list key;
    key.append(wrap(arrays.at(next++)));
    return key;
  };
  return map_tree(tree, replaced, containers);
}

namespace {

void fill(nb::handle tree, const Arrays& arrays, size_t& next,
          std::unordered_map<PyObject*, size_t>& filled) {
  if (is_random_state(tree)) {
    random::state() = arrays.at(next++);
    return;
  }
  TreeLevel level;
  // The array in place of an array; of another value, its contents are filled.
  auto replaced = [&](nb::handle value) -> nb::object {
    if (is_array(value)) return wrap(arrays.at(next++));
    fill(value, arrays, next, filled);
    return {};
  };
  if (is_tuple(tree)) {
    each_item(tree, [&](Py_ssize_t, nb::object item) {
      if (is_array(item)) {
        throw std::invalid_argument("[compile] A captured tuple cannot be updated: use a list.");
      }
      fill(item, arrays, next, filled);
    });
  } else if (is_list(tree) || is_dict(tree)) {
    if (auto [at, added] = filled.try_emplace(tree.ptr(), 0); !added) {
      next += at->second;
      return;
    }
    const size_t first = next;
    if (is_list(tree)) {
      each_item(tree, [&](Py_ssize_t i, nb::object item) {
        if (nb::object value = replaced(item); value.is_valid()) set_item(tree, i, value);
      });
    } else {
      each_entry(plain_copy(tree), [&](nb::object key, nb::object item) {
        if (nb::object value = replaced(item); value.is_valid()) set_entry(tree, key, value);
      });
    }
    filled[tree.ptr()] = next - first;
  }
}

}  // namespace

void fill_tree(nb::handle tree, const Arrays& arrays, size_t& next) {
  std::unordered_map<PyObject*, size_t> filled;
  fill(tree, arrays, next, filled);
}

void write_tree(nb::handle tree, nb::handle wanted, const Arrays& arrays, size_t& next) {
  TreeLevel level;
  // What shall be where `now` is: `now` itself, written to, if it is a container of the same kind.
  auto written = [&](nb::handle now, nb::handle value) -> nb::object {
    if (is_array(value)) return wrap(arrays.at(next++));
    if (is_random_state(value)) {
      random::state() = arrays.at(next++);
      return nb::borrow(value);
    }
    const bool container = is_list(value) || is_dict(value) || is_tuple(value);
    if (!container) return nb::borrow(value);
    const bool alike =
        now.is_valid() && ((is_list(now) && is_list(value)) || (is_dict(now) && is_dict(value)) ||
                           (is_tuple(now) && is_tuple(value)));
    if (!alike) return rebuild_tree(value, arrays, next, Containers::own);
    write_tree(now, value, arrays, next);
    return nb::borrow(now);
  };
  if (is_list(wanted)) {
    while (PyList_Size(tree.ptr()) < PyList_Size(wanted.ptr())) {
      checked(PyList_Append(tree.ptr(), Py_None));
    }
    const Py_ssize_t n = PyList_Size(wanted.ptr());
    checked(PyList_SetSlice(tree.ptr(), n, PyList_Size(tree.ptr()), nullptr));
    each_item(wanted, [&](Py_ssize_t i, nb::object value) {
      nb::object now = nb::borrow(PyList_GetItem(tree.ptr(), i));
      nb::object next_value = written(now, value);
      if (!next_value.is(now)) set_item(tree, i, next_value);
    });
  } else if (is_tuple(wanted)) {
    each_item(wanted, [&](Py_ssize_t i, nb::object value) {
      if (is_array(value)) {
        throw std::invalid_argument("[compile] A captured tuple cannot be updated: use a list.");
      }
      if (i < PyTuple_Size(tree.ptr())) written(PyTuple_GetItem(tree.ptr(), i), value);
    });
  } else if (is_dict(wanted)) {
    each_entry(wanted, [&](nb::object key, nb::object value) {
      PyObject* found = PyDict_GetItemWithError(tree.ptr(), key.ptr());
      if (!found && PyErr_Occurred()) nb::raise_python_error();
      nb::object now = found ? nb::borrow(found) : nb::object();
      nb::object next_value = written(now, value);
      if (!now.is_valid()) {
        checked(
            PyObject_SetItem(tree.ptr(), key.ptr(), next_value.ptr()));  // classes keep an order
      } else if (!next_value.is(now)) {
        set_entry(tree, key, next_value);
      }
    });
    if (PyDict_Size(tree.ptr()) == PyDict_Size(wanted.ptr())) return;
    for (nb::handle key : nb::list(plain_copy(tree).attr("keys")())) {
      if (!nb::borrow<nb::dict>(wanted).contains(key))
        checked(PyObject_DelItem(tree.ptr(), key.ptr()));
    }
  } else if (is_random_state(wanted)) {
    random::state() = arrays.at(next++);
  }
}

}  // namespace heddle::python
