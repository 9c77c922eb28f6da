#include "core/node.h"

#include <fmt/format.h>

#include <mutex>
#include <stdexcept>
#include <utility>

namespace heddle {
namespace {

// Nodes are small, equal in size and short-lived: each thread keeps freed ones for reuse. They are
// linked through their own memory, because what frees a node must not need memory. It has neither
// constructor nor destructor, so that a use is one look-up.
struct NodePool {
  struct Free {
    Free* next;
  };
  Free* top;
  size_t room;    // for how many more; none before watch() and once the thread ends
  bool watched;   // the thread's end will empty it
  bool draining;  // release_node() is at work
  char* queue;    // what it has still to free
  void push(void* memory) {
    top = new (memory) Free{top};
    room--;
  }
  void* pop() {
    room++;
    return std::exchange(top, top->next);
  }
  // At the first time: makes room, and has the thread's end empty the pool.
  void watch();
};
constinit thread_local NodePool pool{};

struct NodePoolEnd {
  ~NodePoolEnd() {
    while (pool.top) ::operator delete(pool.pop());
    pool.room = 0;
  }
};

void NodePool::watch() {
  thread_local NodePoolEnd end;
  (void)&end;
  watched = true;
  room = 8192;
}

std::mutex& siblings_mutex() {
  static auto* m = new std::mutex;
  return *m;
}

thread_local int tracing_depth = 0;

}  // namespace

void* Node::operator new(size_t bytes) {
  NodePool& p = pool;
  return p.top ? p.pop() : ::operator new(bytes);
}

void Node::operator delete(void* p) {
  NodePool& kept = pool;
  if (!kept.watched) [[unlikely]]
    kept.watch();
  if (kept.room > 0) {
    kept.push(p);
  } else {
    ::operator delete(p);
  }
}

Node::~Node() {
  if (!siblings) return;
  {
    std::lock_guard<std::mutex> lock(siblings_mutex());
    Siblings::Result& mine = siblings->results[output_index];
    if (mine.node == this) mine = {nullptr, {std::move(shape), dtype}};  // else another is there
  }
  if (siblings->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete siblings;
}

void Node::set_data(BufferRef b, int64_t byte_offset) {
  set_data(std::move(b), row_major_strides(shape), byte_offset);
}

void Node::set_data(BufferRef b, Strides s, int64_t byte_offset) {
  buffer = std::move(b);
  data = static_cast<char*>(buffer->data) + byte_offset;
  strides = std::move(s);
}

void Node::share(const Node& source, Strides s, int64_t element_offset) {
  buffer = source.buffer;
  data = source.data + element_offset * static_cast<int64_t>(size_of(source.dtype));
  strides = std::move(s);
}

void Node::finish() {
  Arrays dropped;
  if (!(tracer && in_tracing())) {
    dropped.swap(inputs);
    op.reset();
  }
  state.store(is_evaluated, std::memory_order_release);
}

namespace {

// Under the lock. A result whose last handle is just being dropped is as good as dead.
Array living(Node* result) {
  if (!result) return {};
  int held = result->references.load(std::memory_order_relaxed);
  while (held > 0 && !result->references.compare_exchange_weak(held, held + 1)) {
  }
  return held > 0 ? Array::adopt(result) : Array();
}

}  // namespace

Arrays living_siblings(const Node* node) {
  Arrays results;
  results.reserve(node->siblings->results.size());
  std::lock_guard<std::mutex> lock(siblings_mutex());
  for (const Siblings::Result& r : node->siblings->results) results.push_back(living(r.node));
  return results;
}

namespace {

// Under the lock. One whose last handle is just being dropped still says itself what it is.
Aval aval_of(const Siblings::Result& r) {
  return r.node ? Aval{r.node->shape, r.node->dtype} : r.dead;
}

}  // namespace

Aval sibling_aval(const Node* node, int k) {
  std::lock_guard<std::mutex> lock(siblings_mutex());
  return aval_of(node->siblings->results[static_cast<size_t>(k)]);
}

Array sibling(Node* node, int k) {
  std::lock_guard<std::mutex> lock(siblings_mutex());
  Siblings::Result& result = node->siblings->results[static_cast<size_t>(k)];
  if (Array alive = living(result.node)) return alive;
  Aval aval = aval_of(result);
  auto* again = new Node(std::move(aval.shape), aval.dtype);
  again->tracer = node->tracer;
  again->stream = node->stream;
  again->op = node->op;
  again->inputs = node->inputs;
  again->siblings = node->siblings;
  again->output_index = static_cast<uint16_t>(k);
  node->siblings->references.fetch_add(1, std::memory_order_relaxed);
  result.node = again;
  return Array::adopt(again);
}

void release_node(Node* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Handles that die inside ~Node come back here: they queue up instead of recursing, the last one
  // first. The dead are linked through their data, which nobody reads any more.
  NodePool& p = pool;
  node->data = std::exchange(p.queue, reinterpret_cast<char*>(node));
  if (p.draining) return;
  p.draining = true;
  while (p.queue) {
    auto* dead = reinterpret_cast<Node*>(p.queue);
    p.queue = dead->data;
    delete dead;
  }
  p.draining = false;
}

bool in_tracing() { return tracing_depth > 0; }
TracingScope::TracingScope() { ++tracing_depth; }
TracingScope::~TracingScope() { --tracing_depth; }

Array::Array(const Array& o) : node_(o.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}
Array& Array::operator=(const Array& o) {
  Array copy(o);
  std::swap(node_, copy.node_);
  return *this;
}
Array::~Array() {
  if (node_) release_node(node_);
}
Array Array::share(Node* node) {
  node->references.fetch_add(1, std::memory_order_relaxed);
  return adopt(node);
}

void refuse_no_array() {
  throw std::invalid_argument(
      "[array] No array is here: it was never given a value, or was moved from.");
}

namespace {

Node& existing(Node* node) {
  if (!node) [[unlikely]]
    refuse_no_array();
  return *node;
}

Node& evaluated(Node* node, const char* what) {
  if (!existing(node).data && !node->available()) [[unlikely]] {
    throw std::runtime_error(
        fmt::format("[{}] The array of shape {} has not been evaluated: call eval() on it first.",
                    what, to_string(node->shape)));
  }
  return *node;
}

}  // namespace

const Shape& Array::shape() const { return existing(node_).shape; }
int64_t Array::shape(int axis) const {
  return shape()[static_cast<size_t>(normalize_axis("shape", axis, ndim()))];
}
int64_t Array::strides(int axis) const {
  return strides()[static_cast<size_t>(normalize_axis("strides", axis, ndim()))];
}
Dtype Array::dtype() const { return existing(node_).dtype; }
bool Array::is_available() const { return existing(node_).available(); }
const void* Array::raw_data() const { return evaluated(node_, "data").data; }
const Strides& Array::strides() const { return evaluated(node_, "strides").strides; }

}  // namespace heddle
