#include "core/node.h"

#include <fmt/format.h>

#include <mutex>
#include <stdexcept>
#include <utility>

namespace heddle {
namespace {

// Nodes are small, equal in size and short-lived: each thread keeps freed ones for reuse. They are
// linked through their own memory, because what frees a node must not need memory.
struct NodePool {
  struct Free {
    Free* next;
  };
  static constexpr size_t limit = 8192;
  Free* top = nullptr;
  size_t size = 0;
  void push(void* memory) {
    top = new (memory) Free{top};
    size++;
  }
  void* pop() {
    size--;
    return std::exchange(top, top->next);
  }
  ~NodePool() {
    while (top) ::operator delete(pop());
    gone = true;
  }
  static thread_local bool gone;
};
thread_local bool NodePool::gone = false;
thread_local NodePool pool;

std::mutex& siblings_mutex() {
  static auto* m = new std::mutex;
  return *m;
}

thread_local int tracing_depth = 0;

}  // namespace

void* Node::operator new(size_t bytes) {
  if (!NodePool::gone && pool.top) return pool.pop();
  return ::operator new(bytes);
}

void Node::operator delete(void* p) {
  if (!NodePool::gone && pool.size < NodePool::limit) {
    pool.push(p);
  } else {
    ::operator delete(p);
  }
}

Node::~Node() {
  if (!siblings) return;
  {
    std::lock_guard<std::mutex> lock(siblings_mutex());
    Node*& slot = siblings->outputs[output_index];
    if (slot == this) slot = nullptr;  // else another has taken its place
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
  evaluated.store(true, std::memory_order_release);
  if (tracer && in_tracing()) return;
  Arrays dropped = std::move(inputs);
  inputs.clear();
  op.reset();
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
  results.reserve(node->siblings->outputs.size());
  std::lock_guard<std::mutex> lock(siblings_mutex());
  for (Node* s : node->siblings->outputs) results.push_back(living(s));
  return results;
}

Array sibling(Node* node, int k, const Aval& aval) {
  std::lock_guard<std::mutex> lock(siblings_mutex());
  Node*& slot = node->siblings->outputs[static_cast<size_t>(k)];
  if (Array alive = living(slot)) return alive;
  auto* again = new Node(aval.shape, aval.dtype);
  again->tracer = node->tracer;
  again->stream = node->stream;
  again->op = node->op;
  again->inputs = node->inputs;
  again->siblings = node->siblings;
  again->output_index = static_cast<uint16_t>(k);
  node->siblings->references.fetch_add(1, std::memory_order_relaxed);
  slot = again;
  return Array::adopt(again);
}

void refuse_being_computed(const Node* node) {
  throw std::invalid_argument(
      fmt::format("[eval] {} asks for a result that it is computing.", node->op->title()));
}

void release_node(Node* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Handles that die inside ~Node come back here: they queue up instead of recursing, the last one
  // first. The dead are linked through their data, which nobody reads any more.
  thread_local bool draining = false;
  thread_local char* queue = nullptr;
  node->data = std::exchange(queue, reinterpret_cast<char*>(node));
  if (draining) return;
  draining = true;
  while (queue) {
    auto* dead = reinterpret_cast<Node*>(queue);
    queue = dead->data;
    delete dead;
  }
  draining = false;
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

namespace {

Node& existing(Node* node) {
  if (!node) [[unlikely]] {
    throw std::invalid_argument(
        "[array] No array is here: it was never given a value, or was moved from.");
  }
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
