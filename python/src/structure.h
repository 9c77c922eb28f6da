// The structure of trees as JSON, by Python's json: a number is the number of an array, a container
// {"list" | "tuple": [...]} or {"dict": [[key, ...], ...]}, anything else {"value": ...}. What
// files hold of the results of functions, and programs of their arguments.
#pragma once

#include "bind.h"

namespace heddle::python {

// Throws std::invalid_argument "[op] ..." for what JSON has no room for.
std::string structure_of(const char* op, nb::handle tree);

nb::object parsed_structure(const std::string& structure);

// The same as structure_of writes it: equal structures are equal texts.
std::string normal_structure(const std::string& structure);

// The tree with these arrays. Throws UnsafeFileError for a structure that contradicts itself.
nb::object rebuild(nb::handle parsed, const Arrays& arrays);

// An attribute of a step: shapes are tuples, lists of numbers lists.
nb::object from_attribute(const AttributeValue& value);

}  // namespace heddle::python
