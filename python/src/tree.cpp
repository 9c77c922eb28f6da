#include "tree.h"

#include <stdexcept>

namespace heddle::python {
namespace {

bool is_list(nb::handle h) { return PyList_Check(h.ptr()); }
bool is_tuple(nb::handle h) { return PyTuple_Check(h.ptr()); }
bool is_dict(nb::handle h) { return PyDict_Check(h.ptr()); }

// Lists keep items as they are visited even if the visitor changes them.
nb::object own(nb::handle h) { return nb::borrow(h); }

}  // namespace

void visit_tree(nb::handle tree, const std::function<void(nb::handle)>& leaf) {
  if (is_list(tree) || is_tuple(tree)) {
    for (nb::handle item : tree) visit_tree(item, leaf);
  } else if (is_dict(tree)) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(tree.ptr(), &at, &key, &value)) visit_tree(value, leaf);
  } else if (is_random_state(tree)) {
    leaf(wrap(random::state()));
  } else {
    leaf(tree);
  }
}

nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& leaf) {
  if (is_list(tree)) {
    nb::list out;
    for (nb::handle item : tree) out.append(map_tree(item, leaf));
    return out;
  }
  if (is_tuple(tree)) {
    nb::list items;
    for (nb::handle item : tree) items.append(map_tree(item, leaf));
    nb::object plain = nb::tuple(items);
    if (nb::hasattr(tree, "_fields")) return tree.type()(*plain);
    return plain;
  }
  if (is_dict(tree)) {
    nb::dict out;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(tree.ptr(), &at, &key, &value)) {
      out[nb::handle(key)] = map_tree(value, leaf);
    }
    return out;
  }
  return leaf(tree);
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

nb::object rebuild_tree(nb::handle tree, const Arrays& arrays, size_t& next) {
  return map_tree(
      tree, [&](nb::handle leaf) { return is_array(leaf) ? nb::cast(arrays[next++]) : own(leaf); });
}

void fill_tree(nb::handle tree, const Arrays& arrays, size_t& next) {
  if (is_random_state(tree)) {
    random::state() = arrays[next++];
    return;
  }
  auto replaced = [&](nb::handle value) -> nb::object {
    if (is_array(value)) return nb::cast(arrays[next++]);
    fill_tree(value, arrays, next);
    return nb::object();
  };
  if (is_list(tree)) {
    Py_ssize_t n = PyList_Size(tree.ptr());
    for (Py_ssize_t i = 0; i < n; i++) {
      nb::object value = replaced(PyList_GetItem(tree.ptr(), i));
      if (value) PyList_SetItem(tree.ptr(), i, value.release().ptr());
    }
  } else if (is_tuple(tree)) {
    for (nb::handle item : tree) {
      if (is_array(item)) {
        throw std::invalid_argument("[compile] A captured tuple cannot be updated: use a list.");
      }
      fill_tree(item, arrays, next);
    }
  } else if (is_dict(tree)) {
    nb::list keys = nb::borrow<nb::dict>(tree).keys();
    for (nb::handle key : keys) {
      nb::object value = replaced(nb::borrow<nb::dict>(tree)[key]);
      if (value) PyDict_SetItem(tree.ptr(), key.ptr(), value.ptr());
    }
  }
}

}  // namespace heddle::python
