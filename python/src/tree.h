// Trees: nested lists, tuples and dicts (their subclasses included) whose leaves are arrays or
// other objects. Flattening visits children in order, dicts by insertion.
#pragma once

#include <functional>

#include "bind.h"

namespace heddle::python {

// Calls `leaf` on everything that is not a container.
void visit_tree(nb::handle tree, const std::function<void(nb::handle)>& leaf);

// The same containers with leaf(x) in place of every leaf x. Named tuples keep their type;
// subclasses of dict and list become plain ones.
nb::object map_tree(nb::handle tree, const std::function<nb::object(nb::handle)>& leaf);

// The arrays of the tree in order. With `strict`, other leaves are a ValueError.
Arrays arrays_of_tree(nb::handle tree, bool strict = false);

// The tree with its arrays replaced by `arrays`, from `next` on; `next` is advanced.
nb::object rebuild_tree(nb::handle tree, const Arrays& arrays, size_t& next);

// Replaces the arrays of the tree inside its own (mutable) containers.
void fill_tree(nb::handle tree, const Arrays& arrays, size_t& next);

}  // namespace heddle::python
