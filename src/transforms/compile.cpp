#include "transforms/compile.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <optional>

#include "core/node.h"
#include "eval/eval.h"
#include "ops/checks.h"
#include "ops/following.h"

namespace heddle {
namespace {

std::atomic<bool>& enabled() {
  static std::atomic<bool> on{std::getenv("MLX_DISABLE_COMPILE") == nullptr};
  return on;
}

// What a size is to a program that serves any: a size of one may broadcast where the traced one did
// not, and nothing is the maximum of no elements.
int64_t kind_of(int64_t size) { return std::min<int64_t>(size, 2); }

size_t hash_of(const Arrays& inputs, const std::vector<uint64_t>& constants, bool any_size) {
  size_t h = any_size;
  auto mix = [&](uint64_t v) { h = (h ^ v) * 0x9e3779b97f4a7c15u + (h >> 29); };
  for (uint64_t v : constants) mix(v);
  for (const Array& a : inputs) {
    mix(static_cast<uint64_t>(a.dtype()) + 64 * a.shape().size());
    for (int64_t n : a.shape()) mix(static_cast<uint64_t>(any_size ? kind_of(n) : n));
  }
  return h;
}

bool fits(const Aval& traced, const Array& given, bool any_size) {
  const Shape &a = traced.shape, &b = given.shape();
  if (traced.dtype != given.dtype()) return false;
  if (!any_size) return a == b;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](int64_t m, int64_t n) { return kind_of(m) == kind_of(n); });
}

// Whether the call is part of a trace that is to serve other sizes.
bool follows_another(const Arrays& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), may_change_size);
}

// Whether it multiplies matrices: those that take sizes from arrays are composed otherwise, and
// round otherwise, than those that the function itself makes.
bool has_products(const Graph& graph) {
  return std::any_of(graph.steps.begin(), graph.steps.end(), [](const Graph::Step& step) {
    const std::string& name = step.op->name();
    return name.find("Matmul") != std::string::npos || name.find("MM") != std::string::npos;
  });
}

// Whether an operation makes it, rather than that it is there or stands for an argument.
bool is_made(const Array& constant) {
  const Node& n = *constant.node();
  return n.tracer ? static_cast<bool>(n.op) : !n.available() && !n.placeholder;
}

// Constants that were made while tracing belong to the stream of the thread that traced: they are
// computed now, so that any thread may use them. What another thread has to compute stays as it is.
// Gives their bytes.
size_t settle(const Graph& graph) {
  Arrays made;
  for (const auto& [slot, array] : graph.constants) {
    if (is_made(array) && !array.node()->tracer) made.push_back(array);
  }
  try {
    eval_own(made);
  } catch (const std::runtime_error&) {
    return 0;  // it is raised again where the value is needed
  }
  size_t bytes = 0;
  for (const Array& a : made) bytes += a.node()->buffer ? a.node()->buffer->capacity : 0;
  return bytes;
}

}  // namespace

std::shared_ptr<const Compiled::Entry> Compiled::find(const Arrays& inputs,
                                                      const std::vector<uint64_t>& constants,
                                                      bool following) {
  for (bool any_size : {false, true}) {
    if (any_size && !shapeless_) break;
    const size_t hash = hash_of(inputs, constants, any_size);
    std::lock_guard<std::mutex> lock(mutex_);
    auto [first, last] = by_hash_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      const Entry& e = **it->second;
      const bool same =
          e.any_size == any_size && (e.following || !following) && e.constants == constants &&
          std::equal(e.inputs.begin(), e.inputs.end(), inputs.begin(), inputs.end(),
                     [&](const Aval& a, const Array& b) { return fits(a, b, any_size); });
      if (!same) continue;
      entries_.splice(entries_.begin(), entries_, it->second);
      return entries_.front();
    }
  }
  return nullptr;
}

std::shared_ptr<const Compiled::Entry> Compiled::trace(const Trace& fun, const Arrays& inputs,
                                                       const std::vector<uint64_t>& constants,
                                                       bool shapeless) {
  auto entry = std::make_shared<Entry>();
  entry->constants = constants;
  Arrays examples;
  {
    TracingScope tracing;
    std::optional<FollowingScope> following;
    entry->following = shapeless || follows_another(inputs);
    if (entry->following) following.emplace();
    for (const Array& in : inputs) {
      examples.push_back(placeholder(in.shape(), in.dtype()));
      entry->inputs.push_back({in.shape(), in.dtype()});
    }
    Result result = fun(examples);
    entry->graph = capture(examples, result.outputs);
    entry->extra = std::move(result.extra);
    entry->reads_size = following && following->size_was_read();
    entry->sizeless =
        entry->graph.follows_shapes() &&
        (entry->following ||
         std::none_of(entry->graph.constants.begin(), entry->graph.constants.end(),
                      [](const auto& c) { return c.second.ndim() > 0 && is_made(c.second); }));
    entry->any_size = shapeless && !entry->reads_size && entry->sizeless;
  }
  if (shapeless && has_products(entry->graph) && !follows_another(inputs)) {
    auto plain = std::const_pointer_cast<Entry>(trace(fun, inputs, constants, false));
    plain->reads_size = entry->reads_size;
    if (!entry->reads_size && plain->sizeless) {
      plain->any_size = true;
      plain->hash = hash_of(inputs, constants, true);
    }
    return plain;
  }
  if (leaks_ == Leaks::refused) {
    bool leaked = false;
    for (size_t i = 0; i < examples.size(); i++) {
      if (examples[i].node()->references == 1) continue;
      leaked = true;
      give_value(examples[i], inputs[i]);
    }
    if (leaked) {
      refuse("compile",
             "The function keeps arrays that it computed from its arguments, so later calls would "
             "not. Name the state that it updates (a module, an optimizer, an array) among the "
             "captured inputs and outputs of compile.");
    }
  }
  simplify(entry->graph);
  entry->bytes = settle(entry->graph);
  entry->hash = hash_of(inputs, constants, entry->any_size);
  return entry;
}

void Compiled::keep(std::shared_ptr<const Entry> entry) {
  Entries dropped;  // dies after the lock is free: it may run a destructor of the caller's
  std::lock_guard<std::mutex> lock(mutex_);
  auto too_much = [&] {
    return entries_.size() > most_traces ||
           (entries_.size() > fewest_traces && bytes_ > most_bytes);
  };
  bytes_ += entry->bytes;
  entries_.push_front(std::move(entry));
  by_hash_.emplace(entries_.front()->hash, entries_.begin());
  while (too_much()) {
    auto last = std::prev(entries_.end());
    auto [first, end] = by_hash_.equal_range((*last)->hash);
    by_hash_.erase(std::find_if(first, end, [&](const auto& e) { return e.second == last; }));
    bytes_ -= (*last)->bytes;
    dropped.splice(dropped.begin(), entries_, last);
  }
}

Compiled::Result Compiled::operator()(const Trace& fun, const Arrays& inputs,
                                      const std::vector<uint64_t>& constants) {
  // Inside a shapeless trace, a program that was made outside of one holds sizes unseen.
  const bool following = follows_another(inputs);
  std::shared_ptr<const Entry> entry = find(inputs, constants, following);
  if (following && entry && entry->reads_size) {
    for (const Array& in : inputs) size_read(in);
  }
  if (entry && entry->any_size) {
    try {
      return {replay(entry->graph, inputs, true), entry->extra};
    } catch (const std::exception&) {
      // Not at this size: the function itself says why, or does something else.
      entry = trace(fun, inputs, constants, false);
      keep(entry);
    }
  } else if (!entry) {
    entry = trace(fun, inputs, constants, shapeless_);
    keep(entry);
  }
  return {replay(entry->graph, inputs, false), entry->extra};
}

Function compile(Function fun, bool shapeless) {
  return compile(std::move(fun), {}, {}, shapeless);
}

namespace {

using Names = std::vector<std::vector<std::string>>;  // of each state

// The places of states as numbers, so that equal numbers mean the same places.
std::vector<uint64_t> key_of(const std::vector<CapturedState::Values>& states) {
  std::vector<uint64_t> key;
  for (const CapturedState::Values& values : states) {
    key.push_back(values.size());
    for (const auto& [name, array] : values) {
      key.push_back(name.size());
      for (size_t i = 0; i < name.size(); i += 8) {
        uint64_t word = 0;
        std::copy_n(name.data() + i, std::min<size_t>(8, name.size() - i),
                    reinterpret_cast<char*>(&word));
        key.push_back(word);
      }
    }
  }
  return key;
}

std::vector<CapturedState::Values> values_of(const std::vector<CapturedState>& states) {
  std::vector<CapturedState::Values> out;
  for (const CapturedState& s : states) out.push_back(s.get());
  return out;
}

void append(Arrays& arrays, const std::vector<CapturedState::Values>& states) {
  for (const CapturedState::Values& values : states) {
    for (const auto& [name, array] : values) arrays.push_back(array);
  }
}

// The values of states in their places; puts them back at the end, also after an exception.
class StateInUse {
 public:
  StateInUse(const std::vector<CapturedState>& states,
             const std::vector<CapturedState::Values>& values)
      : states_(states), values_(values) {}
  ~StateInUse() {
    for (size_t i = 0; i < states_.size(); i++) {
      try {
        states_[i].set(values_[i]);
      } catch (const std::exception&) {  // it no longer has those places
      }
    }
  }
  void put(const Arrays& arrays, size_t at) {
    for (size_t i = 0; i < states_.size(); i++) {
      CapturedState::Values now = values_[i];
      for (auto& [name, array] : now) array = arrays[at++];
      states_[i].set(now);
    }
  }

 private:
  const std::vector<CapturedState>& states_;
  const std::vector<CapturedState::Values>& values_;
};

}  // namespace

Function compile(Function fun, std::vector<CapturedState> inputs,
                 std::vector<CapturedState> outputs, bool shapeless) {
  auto compiled = std::make_shared<Compiled>(shapeless, Compiled::Leaks::refused);
  return [fun = std::move(fun), inputs = std::move(inputs), outputs = std::move(outputs),
          compiled](const Arrays& arguments) {
    if (!compile_enabled()) return fun(arguments);
    const std::vector<CapturedState::Values> before = values_of(inputs);
    Arrays all = arguments;
    append(all, before);
    auto traced = [&](const Arrays& x) {
      StateInUse state(inputs, before);
      state.put(x, arguments.size());
      Compiled::Result result{
          fun(Arrays(x.begin(), x.begin() + static_cast<long>(arguments.size()))), nullptr};
      auto names = std::make_shared<Names>();
      std::vector<CapturedState::Values> after = values_of(outputs);
      append(result.outputs, after);
      for (const CapturedState::Values& values : after) {
        names->emplace_back();
        for (const auto& [name, array] : values) names->back().push_back(name);
      }
      result.extra = std::move(names);
      return result;
    };
    Compiled::Result result = (*compiled)(traced, all, key_of(before));
    const auto& names = *static_cast<const Names*>(result.extra.get());
    size_t count = result.outputs.size();
    for (const auto& list : names) count -= list.size();
    size_t next = count;
    for (size_t i = 0; i < outputs.size(); i++) {
      CapturedState::Values now;
      for (const std::string& name : names[i]) now.emplace_back(name, result.outputs[next++]);
      outputs[i].set(now);
    }
    result.outputs.resize(count);
    return result.outputs;
  };
}

CapturedState captured(Array& array) {
  return {[&array] {
            return CapturedState::Values{{"", array}};
          },
          [&array](const CapturedState::Values& values) { array = values.at(0).second; }};
}

void enable_compile() { enabled() = true; }
void disable_compile() { enabled() = false; }
bool compile_enabled() { return enabled(); }

}  // namespace heddle
