// Trees: nested lists, tuples and dicts (their subclasses included) whose leaves are arrays or
// other objects. Flattening visits children in order, dicts by insertion, and reads what the
// containers hold, not what methods of their classes say. `random.state` counts as a list of one
// array. A tree without end is a RecursionError.
#pragma once

#include <functional>

#include "bind.h"

namespace heddle::python {

// Calls `leaf` on everything that is not a container.
void visit_tree(nb::handle tree, const std::function<void(nb::handle)>& leaf);

// Which containers a copy of a tree has. Tuples keep their class in any case.
enum class Containers : uint8_t {
  plain,  // lists and dicts
  own,    // copies of their own class with their attributes, where these can be made
};

// The same containers with leaf(x) in place of every leaf x (`random.state` is one).
nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& leaf,
                    Containers containers = Containers::plain);

// The arrays of the tree in order. With `strict`, other leaves are a ValueError.
Arrays arrays_of_tree(nb::handle tree, bool strict = false);

// The tree with its arrays replaced by `arrays`, from `next` on; `next` is advanced.
nb::object rebuild_tree(nb::handle tree, const Arrays& arrays, size_t& next,
                        Containers containers = Containers::plain);

// The same leaves in containers of its own, as map_tree makes them.
nb::object copy_of_tree(nb::handle tree);

// Replaces the arrays of the tree inside its own lists and dicts. One that occurs again is filled
// once; its arrays are taken twice.
void fill_tree(nb::handle tree, const Arrays& arrays, size_t& next);

// A plain list or dict with the items of the container.
nb::object plain_copy(nb::handle container);

// Makes `tree` hold what `wanted` holds, with `arrays` from `next` on in place of its arrays,
// inside the tree's own containers where it has them.
void write_tree(nb::handle tree, nb::handle wanted, const Arrays& arrays, size_t& next);

// A container of the class of `tuple` with these items.
nb::object tuple_like(nb::handle tuple, const nb::list& items);

// A list or dict of the same class with the same items and attributes; a plain one where the class
// lets none be made.
nb::object copy_of(nb::handle container);

// What containers hold, past the methods of their classes. Visitors may change the container: each
// item is held while it is visited, and the next one looked for anew.
template <class F>
void each_item(nb::handle sequence, F&& f) {  // f(index, item) of a list or tuple
  PyObject* o = sequence.ptr();
  const bool list = PyList_Check(o);
  for (Py_ssize_t i = 0; i < (list ? PyList_Size(o) : PyTuple_Size(o)); i++) {
    f(i, nb::borrow(list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i)));
  }
}
template <class F>
void each_entry(nb::handle dict, F&& f) {  // f(key, value); must not change the keys
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict.ptr(), &at, &key, &value)) f(nb::borrow(key), nb::borrow(value));
}

}  // namespace heddle::python
