// Arrays in the place of those that a caller's containers hold.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "bind.h"

namespace heddle::python {

// Arrays that stand in a caller's own containers while a function is called with them. Afterwards
// the arrays that the function has not replaced are put back; what it wrote stays. Where a
// container cannot be lent, because it occurs twice in the tree or another thread works with it,
// the function gets a copy, and what it writes there is written to the container afterwards.
class Lent {
 public:
  Lent() = default;
  ~Lent();  // as give_back(), but for errors
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  // The tree with its arrays replaced: itself, or, for tuples, a new one of its class.
  nb::object put(nb::handle tree, const Arrays& arrays, size_t& next);
  void give_back();

 private:
  struct Given {
    nb::object value, original;
    Node* node;  // of an array as it was given: another one was written in its place
  };
  struct Container {
    nb::object own, place;  // the caller's, and what the function gets: itself or a copy
    nb::object before;      // of a copy, as it was given: a plain container

    bool lent() const { return own.is(place); }
  };

  nb::object put_into(nb::handle container, const Arrays& arrays, size_t& next);
  nb::object kept(nb::handle value) const;  // what stands for it when it is put back
  void put_back(const Container& c) const;
  void write_back(const Container& c) const;

  std::unordered_map<PyObject*, Given> given_;
  std::vector<Container> containers_;
  std::unordered_map<PyObject*, size_t> lent_;
  std::optional<Array> key_, given_key_;  // of random.state
};

}  // namespace heddle::python
