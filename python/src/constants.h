// The constants among a function's arguments, as numbers.
#pragma once

#include "bind.h"

namespace heddle::python {

// Describes trees of arrays and constants as numbers, so that equal numbers mean that a function
// which is traced with one tree does the same with the other: constants have the same class and
// value (to the bit: -0.0 is not 0.0, NaN is itself), containers the same class, keys, length and
// attributes. No method of a class is asked. What has no value of its own is told by its identity,
// and has to be kept alive for as long as the numbers are.
class Constants {
 public:
  std::vector<uint64_t> numbers;
  std::vector<nb::object> identities;

  // Arguments. Throws std::invalid_argument for leaves other than arrays, numbers, texts and None.
  void add(nb::handle tree);
  // Captured state: leaves may be anything, and of a module's attributes only whether it trains
  // matters.
  void add_state(nb::handle tree);

 private:
  enum class Part : uint8_t { argument, state, attribute };
  void add(nb::handle tree, Part part);
  void add_class(nb::handle h, bool plain, uint64_t tag);
  void add_attributes(nb::handle h, Part part);
  bool add_constant(nb::handle h);
  void add_integer(nb::handle h);
  void add_text(nb::handle h);
  void add_bytes(const char* data, size_t size);
  void add_key(nb::handle key);
  void add_set(nb::handle set);
  void add_identity(nb::handle h);
};

}  // namespace heddle::python
