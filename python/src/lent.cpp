#include "lent.h"

#include <stdexcept>
#include <thread>

#include "tree.h"

namespace heddle::python {
namespace {

bool is_list(nb::handle h) { return PyList_Check(h.ptr()); }
bool is_dict(nb::handle h) { return PyDict_Check(h.ptr()); }
bool is_tuple(nb::handle h) { return PyTuple_Check(h.ptr()); }

void checked(int status) {
  if (status < 0) nb::raise_python_error();
}

void set_item(nb::handle list, Py_ssize_t i, nb::object value) {
  if (i < PyList_Size(list.ptr())) checked(PyList_SetItem(list.ptr(), i, value.release().ptr()));
}
void set_entry(nb::handle dict, nb::handle key, nb::handle value) {
  checked(PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr()));
}

// The containers that are lent now, and to which thread; guarded by the GIL. One thread may lend
// again what it was lent (nested derivatives).
struct Loan {
  std::thread::id thread;
  int count;
};
std::unordered_map<PyObject*, Loan>& loans() {
  static auto* all = new std::unordered_map<PyObject*, Loan>;
  return *all;
}

// What a dict holds, to be walked while the dict is written to.
std::vector<std::pair<nb::object, nb::object>> entries_of(nb::handle dict) {
  std::vector<std::pair<nb::object, nb::object>> entries;
  entries.reserve(static_cast<size_t>(PyDict_Size(dict.ptr())));
  each_entry(dict, [&](nb::object key, nb::object value) {
    entries.emplace_back(std::move(key), std::move(value));
  });
  return entries;
}

bool lend(nb::handle container) {
  auto [at, added] = loans().try_emplace(container.ptr(), Loan{std::this_thread::get_id(), 0});
  if (at->second.thread != std::this_thread::get_id()) return false;
  at->second.count++;
  return true;
}

void end_loan(nb::handle container) {
  auto at = loans().find(container.ptr());
  if (--at->second.count == 0) loans().erase(at);
}

}  // namespace

Lent::~Lent() {
  try {
    give_back();
  } catch (nb::python_error& e) {
    e.discard_as_unraisable("heddle: arrays could not be put back");
  } catch (...) {
  }
}

nb::object Lent::put(nb::handle tree, const Arrays& arrays, size_t& next) {
  if (is_array(tree)) return wrap(arrays.at(next++));
  if (is_random_state(tree)) {
    if (!key_) key_ = random::state();
    given_key_ = random::state() = arrays.at(next++);
    return nb::borrow(tree);
  }
  if (is_tuple(tree)) {
    TreeLevel level;
    bool changed = false;
    nb::list items;
    each_item(tree, [&](Py_ssize_t, nb::object item) {
      nb::object value = put(item, arrays, next);
      changed |= !value.is(item);
      items.append(value);
    });
    return changed ? tuple_like(tree, items) : nb::borrow(tree);
  }
  if (is_list(tree) || is_dict(tree)) {
    TreeLevel level;
    return put_into(tree, arrays, next);
  }
  return nb::borrow(tree);
}

nb::object Lent::put_into(nb::handle container, const Arrays& arrays, size_t& next) {
  const size_t at = containers_.size();
  if (given_.empty()) given_.reserve(arrays.size());
  containers_.emplace_back();
  nb::object place;
  if (!lent_.contains(container.ptr()) && lend(container)) {
    lent_.emplace(container.ptr(), at);
    place = nb::borrow(container);
  } else {
    place = copy_of(container);
    containers_[at].before = plain_copy(container);
  }
  containers_[at].own = nb::borrow(container);
  containers_[at].place = place;
  auto replace = [&](nb::object& item) {
    nb::object value = put(item, arrays, next);
    if (value.is(item)) return false;
    Node* node = is_array(value) ? array_of(value).node() : nullptr;
    PyObject* id = value.ptr();
    given_.emplace(id, Given{value, item, node});
    item = std::move(value);
    return true;
  };
  // The items of the caller's container, also where the copy's class changes what is put in.
  if (is_list(container)) {
    each_item(plain_copy(container), [&](Py_ssize_t i, nb::object item) {
      if (replace(item)) set_item(place, i, item);
    });
  } else {
    for (auto& [key, value] : entries_of(container)) {
      if (replace(value)) set_entry(place, key, value);
    }
  }
  return place;
}

void Lent::give_back() {
  std::vector<Container> containers = std::move(containers_);
  containers_.clear();
  lent_.clear();
  if (key_ && random::state().same_as(*given_key_)) random::state() = *key_;
  key_.reset();
  std::exception_ptr error;
  for (size_t i = containers.size(); i-- > 0;) {
    const Container& c = containers[i];
    if (!c.place.is_valid()) continue;
    try {
      if (c.lent()) {
        end_loan(c.own);
        put_back(c);
      }
    } catch (...) {
      error = std::current_exception();
    }
  }
  for (const Container& c : containers) {
    if (!error && c.place.is_valid() && !c.lent()) write_back(c);
  }
  given_.clear();
  if (error) std::rethrow_exception(error);
}

// The original, unless the function wrote into what it was given (x += 1).
nb::object Lent::kept(nb::handle value) const {
  nb::object now = nb::borrow(value);
  for (auto at = given_.find(now.ptr()); at != given_.end(); at = given_.find(now.ptr())) {
    const Given& given = at->second;
    if (given.node && array_of(given.value).node() != given.node) break;
    now = given.original;
  }
  return now;
}

void Lent::put_back(const Container& c) const {
  if (is_list(c.own)) {
    each_item(c.own, [&](Py_ssize_t i, nb::object item) {
      if (nb::object original = kept(item); !original.is(item)) set_item(c.own, i, original);
    });
  } else {
    for (const auto& [key, value] : entries_of(c.own)) {
      if (nb::object original = kept(value); !original.is(value)) set_entry(c.own, key, original);
    }
  }
}

void Lent::write_back(const Container& c) const {
  if (is_list(c.own)) {
    nb::list items;
    bool changed = PyList_Size(c.place.ptr()) != PyList_Size(c.before.ptr());
    each_item(c.place, [&](Py_ssize_t i, nb::object item) {
      nb::object value = kept(item);
      changed |=
          i >= PyList_Size(c.before.ptr()) || !kept(PyList_GetItem(c.before.ptr(), i)).is(value);
      items.append(value);
    });
    if (changed) checked(PyList_SetSlice(c.own.ptr(), 0, PyList_Size(c.own.ptr()), items.ptr()));
    return;
  }
  auto before = nb::borrow<nb::dict>(c.before), place = nb::borrow<nb::dict>(c.place),
       own = nb::borrow<nb::dict>(c.own);
  each_entry(plain_copy(place), [&](nb::object key, nb::object item) {
    nb::object value = kept(item);
    if (before.contains(key) && kept(nb::object(before[key])).is(value)) return;
    checked(PyObject_SetItem(own.ptr(), key.ptr(), value.ptr()));
  });
  each_entry(before, [&](nb::object key, nb::object) {
    if (!place.contains(key) && own.contains(key)) {
      checked(PyObject_DelItem(own.ptr(), key.ptr()));
    }
  });
}

}  // namespace heddle::python
